# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Norms, gates, block means and compression in Triton against their definitions in float64."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from kernels.block_mean import block_mean
from kernels.compression import compress
from kernels.core.blocks import Blocks
from kernels.gating import GatedSum, gated_merge, gated_sum
from kernels.layer_norm import layer_norm
from kernels.reference import definitions
from kernels.reference.definitions import LAYER_NORM_EPS, Perceptron

DTYPES = {"float32": torch.float32, "float16": torch.float16}


def compare(function, definition, tensors, dtype, slack):
    """Values and gradients against the definition in float64, within `slack` roundings.

    Args:
        function: of the tensors.
        definition: the same function as the definitions have it.
        tensors: float64, rounded here to the dtype for both sides.
        dtype: of the kernel.
        slack: how many eps of the largest value a result may be off.
    """
    rounded = [tensor.to(dtype) for tensor in tensors]
    results = []
    for convert, compute in ((torch.Tensor.double, definition), (torch.clone, function)):
        given = [convert(tensor).requires_grad_() for tensor in rounded]
        out = compute(*given)
        weights = torch.linspace(-1, 1, out.numel(), dtype=torch.float64).view_as(out)
        out.backward(weights.to(dtype).to(out.dtype))
        results.append([out, *(tensor.grad for tensor in given)])
    for wanted, found in zip(*results, strict=True):
        assert found.dtype == dtype
        largest = max(1.0, float(wanted.detach().abs().max()))
        error = (found.double() - wanted).abs().max()
        assert error <= slack * torch.finfo(dtype).eps * largest


def random(*shape, seed=0):
    """Normal numbers in float64."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
@pytest.mark.parametrize("shape", [(37, 4), (3, 5, 32), (9, 100), (2, 1024), (0, 8)], ids=str)
@pytest.mark.parametrize("updated", [False, True])
def test_norm(shape, updated, dtype):
    """Rows of any width, alone or with an update added first.

    A row is rounded once when the update is added (then divided by a deviation near 1), once at
    the end, and its gradient is made of three products with rounded rows: 8 eps cover it.
    """
    if 0 in shape:
        assert layer_norm(random(*shape).to(dtype)).shape == shape
        return
    tensors = [3 * random(*shape, seed=seed) + 1 for seed in range(1 + updated)]
    slack = 8 if dtype is torch.float32 or not updated else 16
    compare(layer_norm, lambda *parts: definitions.layer_norm(sum(parts)), tensors, dtype, slack)


def test_constant_rows_are_finite():
    """A row without variance gives zeros, and its gradient is zero up to eps."""
    row = torch.full((2, 8), 7.0, requires_grad=True)
    out = layer_norm(row)
    out.sum().backward()
    assert torch.equal(out, torch.zeros_like(out))
    assert torch.equal(row.grad, torch.zeros_like(row))
    wanted = F.layer_norm(torch.full((2, 8), 7.0), (8,), eps=LAYER_NORM_EPS)
    assert torch.equal(out.detach(), wanted)


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
@pytest.mark.parametrize("branches", [2, 3])
def test_gates(branches, dtype):
    """Two or three branches; each product and the sum is rounded once, from float32: 2 eps."""
    tensors = [random(13, branches * 100), *(random(13, 100, seed=s) for s in range(branches))]

    def kernel(logits, *parts):
        return gated_sum(logits, parts).compute()

    def definition(logits, *parts):
        return definitions.gated_sum(logits, parts)

    compare(kernel, definition, tensors, dtype, 2)


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
def test_block_means(dtype):
    """Blocks of 1 to 70 tokens; summed in float32 and rounded once: 2 eps, 4 in float32."""
    blocks = Blocks(torch.tensor([0, 1, 71, 74, 106]), torch.tensor([0, 4]))
    slack = 4 if dtype is torch.float32 else 2

    def definition(values):
        return definitions.block_mean(values, blocks.token_offsets)

    compare(lambda values: block_mean(values, blocks), definition, [random(106, 70)], dtype, slack)


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
def test_both_levels_of_gates(dtype):
    """Five branches and seven gates; every result is rounded once, from float32: 2 eps."""
    widths = (200, 200, 300, *[100] * 5)
    tensors = [random(13, width, seed=seed) for seed, width in enumerate(widths)]

    def merged(merge, cross, own, *branches):
        return gated_merge(merge, gated_sum(cross, branches[:2]), gated_sum(own, branches[2:]))

    def definition(merge, cross, own, *branches):
        inner = (cross, branches[:2]), (own, branches[2:])
        return definitions.gated_sum(merge, [definitions.gated_sum(*each) for each in inner])

    compare(merged, definition, tensors, dtype, 2)


def test_directions_without_gates():
    """A direction of one branch is taken as it is, as in the dense stage."""
    logits, cross, own = (random(4, width, seed=width).float() for width in (16, 8, 8))
    found = gated_merge(logits, GatedSum((cross,)), GatedSum((own,)))
    assert torch.equal(found, gated_sum(logits, (cross, own)).compute())


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
@pytest.mark.parametrize("width", [32, 40])
def test_compression(width, dtype):
    """A residual network, a norm and a mean; the hidden layer is rounded between two products.

    A product of 40 terms of size 1 that rounds twice, a norm and a mean: 16 eps; the way back
    rounds every step of the chain to the dtype.
    """
    blocks = Blocks(torch.tensor([0, 1, 71, 74]), torch.tensor([0, 3]))
    shapes = (74, width), (width, width), (width,), (width, width), (width,)
    tensors = [random(*shape, seed=seed) / shape[-1] ** 0.5 for seed, shape in enumerate(shapes)]
    tensors[0] = random(74, width)

    def compressed(stream, *network):
        return compress(stream, Perceptron(*network), blocks)

    def definition(stream, *network):
        return definitions.compress(stream, Perceptron(*network), blocks.token_offsets)

    compare(compressed, definition, tensors, dtype, 16)


def test_tensors_of_wrong_sizes_are_refused():
    """A kernel would read outside of tensors that are too short."""
    stream, blocks = torch.zeros(5, 8), Blocks(torch.tensor([0, 6]), torch.tensor([0, 1]))
    network = Perceptron(*(torch.zeros(shape) for shape in ((8, 8), 8, (8, 8), 8)))
    for wrong in (lambda: block_mean(stream, blocks), lambda: compress(stream, network, blocks)):
        with pytest.raises(ValueError, match="5 tokens; the blocks hold 6"):
            wrong()
    with pytest.raises(ValueError, match=r"an update \[4, 8\] for a stream \[5, 8\]"):
        layer_norm(stream, stream[:4])
    pair, three = (gated_sum(torch.zeros(5, 8 * n), [stream] * n) for n in (2, 3))
    for wrong in (
        lambda: gated_sum(torch.zeros(5, 16), [stream] * 3),
        lambda: gated_sum(torch.zeros(5, 16), [stream, stream[:4]]),
        lambda: gated_merge(torch.zeros(5, 24), pair, three),
        lambda: gated_merge(torch.zeros(5, 16), three, pair),
    ):
        with pytest.raises(ValueError, match="for branches"):
            wrong()
