# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reference implementations of norms, gates, block means and compression are the definitions."""

from __future__ import annotations

import pytest
import torch

from kernels.block_mean import block_mean
from kernels.compression import compress
from kernels.core.blocks import Blocks
from kernels.core.dispatch import forced
from kernels.gating import gated_merge, gated_sum
from kernels.layer_norm import layer_norm
from kernels.reference import definitions
from kernels.reference.definitions import Perceptron

BLOCKS = Blocks(torch.tensor([0, 1, 9, 12]), torch.tensor([0, 3]))


@pytest.fixture(autouse=True)
def _reference():
    with forced("reference"):
        yield


def random(*shape, seed=0):
    """Normal numbers in float64."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_layer_norm_is_the_definition():
    """Alone, and with an update added first."""
    stream, update = random(5, 7), random(5, 7, seed=1)
    torch.testing.assert_close(layer_norm(stream), definitions.layer_norm(stream))
    wanted = definitions.layer_norm(stream + update)
    torch.testing.assert_close(layer_norm(stream, update), wanted)


@pytest.mark.parametrize("count", [2, 3])
def test_gated_sum_is_the_definition(count):
    """Bit for bit, for it is the definition that runs."""
    logits = random(5, count * 4)
    branches = [random(5, 4, seed=1 + number) for number in range(count)]
    wanted = definitions.gated_sum(logits, branches)
    assert torch.equal(gated_sum(logits, branches).compute(), wanted)


def test_gated_sum_by_hand():
    """Closed gates give nothing, open ones the branch, half open ones half of it."""
    logits = torch.tensor([[-torch.inf, 0.0, torch.inf, 0.0]])
    branches = torch.tensor([[3.0, 4.0]]), torch.tensor([[5.0, 6.0]])
    assert definitions.gated_sum(logits, branches).tolist() == [[5.0, 5.0]]


def test_nested_gated_sums_are_the_definition_twice():
    """Eq. (2) for each direction, then eq. (7) over both."""
    logits, cross, own = (random(5, width, seed=width) for width in (9, 8, 12))
    logits = logits[:, :8]
    branches = [random(5, 4, seed=number) for number in range(5)]
    inner = [definitions.gated_sum(cross, branches[:2]), definitions.gated_sum(own, branches[2:])]
    found = gated_merge(logits, gated_sum(cross, branches[:2]), gated_sum(own, branches[2:]))
    assert torch.equal(found, definitions.gated_sum(logits, inner))


def test_compression_is_the_definition():
    """The residual module and the mean of each block."""
    stream = random(12, 6)
    perceptron = Perceptron(random(6, 6, seed=1), random(6), random(6, 6, seed=2), random(6))
    offsets = BLOCKS.token_offsets
    torch.testing.assert_close(block_mean(stream, BLOCKS), definitions.block_mean(stream, offsets))
    wanted = definitions.compress(stream, perceptron, offsets)
    torch.testing.assert_close(compress(stream, perceptron, BLOCKS), wanted)
