# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every kernel against its reference implementation, on the device and in the types of its use.

The reference computes in float64 from the same rounded inputs, on the same device. A kernel is
right if the root mean square of its error is small against that of the result, if it wrote every
element of memory that was full of NaN before, and if a second run gives the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from backend.field.config import HALF_SIDE
from kernels.attention import attention
from kernels.blending import blend_rows
from kernels.block_mean import block_mean
from kernels.compositing import ray_sums, ray_weights
from kernels.compressed_attention import compressed_attention
from kernels.compression import compress
from kernels.core.blocks import Blocks
from kernels.core.dispatch import forced, interpreting
from kernels.core.precision import wide_type
from kernels.core.routing_plan import RoutingPlan
from kernels.core.segments import offsets_of_sizes
from kernels.core.sparse_grid import Bricks, SparseGrid
from kernels.gating import gated_merge, gated_sum
from kernels.gpu.flash_attention import obstacle
from kernels.layer_norm import layer_norm
from kernels.nearest import Surfaces, nearest, squared_surface_distance
from kernels.reference.definitions import Perceptron
from kernels.selected_attention import selected_attention
from kernels.sparse_field import decode, sample
from kernels.window_attention import window_attention

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Function = Callable[..., Tensor]

ALLOWED = {torch.bfloat16: 2.0**-7, torch.float16: 2.0**-10, torch.float32: 2.0**-15}
"""Error over result, both as root mean squares: one unit of the last place of 1 for the short
types; 256 of them for float32, whose products are made of three tensor floats each and whose
gradients sum thousands of them. Tensor floats alone would be 8 times farther off."""

HEADS, WIDTH = (32, 2), 32
_SIZES = (1, 200, 1, 65, 64, 7, 30), (3, 60)  # of blocks, per instance
_QUERIES = (90, 21)
_MANY_POINTS = 50_000  # more than all programs of a gradient take at once
_KINK = 1e-4  # hidden values closer to zero may have another sign in float32
_POISON = 64 << 20  # bytes that are filled with NaN and given back before a kernel runs


@dataclass(frozen=True)
class Check:
    """One kernel in one type.

    Attributes:
        name: of the kernel.
        dtype: of its inputs.
        errors: of the value, then of each gradient.
        allowed: the largest error that passes.
        repeats: the same bits in a second run.
    """

    name: str
    dtype: str
    errors: tuple[float, ...]
    allowed: float
    repeats: bool

    @property
    def ok(self) -> bool:
        """Whether all of it is right; NaN is not."""
        return self.repeats and all(error <= self.allowed for error in self.errors)


def run_checks(device: torch.device) -> Iterator[Check]:
    """All kernels, in all types that they support on this device, one after the other."""
    for name, run in searches(device).items():
        yield exact(name, run)
    for dtype in (torch.float16, torch.float32) if interpreting() else ALLOWED:
        dense = {} if obstacle(device, dtype, WIDTH) else packed(device)
        for name, (function, inputs) in (layers(device) | fields(device) | dense).items():
            yield compared(name, function, [each.to(dtype) for each in inputs])


def compared(name: str, function: Function, inputs: list[Tensor]) -> Check:
    """A differentiable kernel against its reference in float64."""
    dtype = inputs[0].dtype
    first, second = (_results(function, inputs, "triton") for _ in range(2))
    truth = _results(function, [each.double() for each in inputs], "reference")
    errors = tuple(map(_relative, first, truth))
    repeats = all(map(torch.equal, first, second))
    return Check(name, str(dtype).removeprefix("torch."), errors, ALLOWED[dtype], repeats)


def exact(name: str, run: Callable[[], Tensor]) -> Check:
    """A kernel whose result must be equal to the reference bit by bit."""
    results = []
    for way in ("triton", "triton", "reference"):
        with forced(way):
            results.append(run())
    wrong = float((results[0] != results[2]).float().mean())
    return Check(name, "exact", (wrong,), 0.0, torch.equal(results[0], results[1]))


def searches(device: torch.device) -> dict[str, Callable[[], Tensor]]:
    """Routing by distance."""
    query, cloud = _random(device, 100, 3), _random(device, 700, 3, seed=1)
    seen = _random(device, 40, 3, 1000, seed=2)
    seen[::3, :, ::2] = torch.inf
    near = torch.randint(40, (100, 9), generator=torch.Generator().manual_seed(3)).to(device)
    return {
        "nearest blocks": lambda: nearest(query, cloud, 16),
        "nearest in a view": lambda: nearest(query[:, :2], cloud[:144, :2], 9),
        "nearest surfaces": lambda: squared_surface_distance(query, near, Surfaces(seen, 1.0)),
    }


def layers(device: torch.device) -> dict[str, tuple[Function, list[Tensor]]]:
    """What a layer of the sparse stage runs."""
    plan = rough_plan(device)
    own = RoutingPlan(plan.blocks.token_offsets[plan.blocks.instance_offsets.long()], plan.blocks)
    tokens, blocks = int(plan.blocks.token_offsets[-1]), plan.blocks.count
    query, own_query = (_random(device, count, HEADS[0], WIDTH) for count in (plan.queries, tokens))
    seen, means = (
        [_random(device, count, HEADS[1], WIDTH, seed=seed) for seed in (1, 2)]
        for count in (tokens, blocks)
    )
    stream, logits = _random(device, 301, 1024), _random(device, 301, 3072, seed=1)
    branches = [_random(device, 301, 1024, seed=seed) for seed in (2, 3, 4)]
    width = HEADS[1] * WIDTH
    maps = [_random(device, *shape) / 8 for shape in ((width, width), (width,)) * 2]
    pair = [_random(device, 301, 1024, seed=seed) for seed in (5, 6)]
    return {
        "selected": (lambda q, k, v: selected_attention(q, k, v, plan)[0], [query, *seen]),
        "selected, bounded scores": (
            lambda q, k, v: selected_attention(q, k, v, plan, bounded_scores=True)[0],
            [*(F.layer_norm(each, (WIDTH,)) for each in (query, seen[0])), seen[1]],
        ),
        "selected, one by one": (
            lambda q, k, v: selected_attention(q, k, v, plan.tiled(1))[0],
            [query, *seen],
        ),
        "compressed": (lambda q, k, v: compressed_attention(q, k, v, plan), [query, *means]),
        "window": (lambda q, k, v: window_attention(q, k, v, own), [own_query, *seen]),
        "block mean": (lambda x: block_mean(x, plan.blocks), [seen[0].flatten(1)]),
        "compression": (
            lambda x, *network: compress(x, Perceptron(*network), plan.blocks),
            [seen[0].flatten(1), *maps],
        ),
        "norm": (layer_norm, [stream, branches[0]]),
        "norm of heads": (layer_norm, [query]),
        "both gates": (both_gates, [logits[:, :2048], logits[:, 1024:], logits, *branches, *pair]),
        "gates": (lambda g, *parts: gated_sum(g, parts).compute(), [logits, *branches]),
    }


def fields(device: torch.device) -> dict[str, tuple[Function, list[Tensor]]]:
    """What rendering and meshing run."""
    generator = torch.Generator().manual_seed(5)
    counts = torch.randint(0, 300, (50,), generator=generator)
    ray = torch.repeat_interleave(torch.arange(50), counts).to(device)
    offsets = offsets_of_sizes(counts).to(device)
    thickness = 0.2 * torch.rand(len(ray), generator=generator).to(device)
    numbers = torch.randint(-20, 200, (8, 8, 8), generator=generator).int().to(device)
    some = _MANY_POINTS if device.type == "cuda" else 150
    points = 1.2 * (torch.rand(some, 3, generator=generator) - 0.5).to(device)
    corners = torch.randint(-9, 200, (900, 8), generator=generator).to(device)
    weights = torch.rand(900, 8, generator=generator).to(device)
    grid = [_random(device, 200 * 4**3, 32), _random(device, 32, 8, 8, 8, seed=1)]
    matrices = [_random(device, *shape) / 6 for shape in ((32, 32), (32, 32), (3, 32))]

    def decoded(rows: Tensor, coarse: Tensor, *network: Tensor) -> Tensor:
        grid = SparseGrid(rows, Bricks(numbers, 4), coarse, HALF_SIDE)
        chosen = _wide(points[off_kinks(points, grid, network)], rows)
        return decode(chosen, grid, [network, network[2:]])

    return {
        "light along rays": (lambda t: ray_weights(t, ray, offsets), [thickness]),
        "sums over rays": (lambda v: ray_sums(v, ray, offsets), [_random(device, len(ray), 8)]),
        "blended rows": (lambda r: blend_rows(r, corners, _wide(weights, r)), grid[:1]),
        "decoded field": (decoded, [*grid, *matrices]),
    }


@torch.no_grad()
def off_kinks(points: Tensor, grid: SparseGrid, network: tuple[Tensor, ...]) -> Tensor:
    """The points [points] bool where no hidden value is about zero.

    There, rounding decides whether a gradient passes: a few such points among many would measure
    the last bits, not the kernel.
    """
    exact = replace(grid, rows=grid.rows.double(), coarse=grid.coarse.double())
    with forced("reference"):
        hidden = sample(points.double(), exact)
    clear = torch.ones_like(points[:, 0], dtype=torch.bool)
    for matrix in network[:-1]:
        hidden = F.linear(hidden, matrix.double())
        clear &= (hidden.abs() > _KINK).all(1)
        hidden = hidden.relu()
    return clear


def packed(device: torch.device) -> dict[str, tuple[Function, list[Tensor]]]:
    """What flash-attn computes: the dense stage, where all tokens of an instance are keys."""
    queries, keys = (torch.tensor(each).int().to(device) for each in ((0, 90, 111), (0, 367, 430)))
    query, *seen = (
        _random(device, count, heads, WIDTH, seed=seed)
        for seed, (count, heads) in enumerate(((111, HEADS[0]), (430, HEADS[1]), (430, HEADS[1])))
    )
    return {
        "dense, flash-attn": (lambda q, k, v: attention(q, k, v, queries, keys), [query, *seen])
    }


def both_gates(merge: Tensor, cross: Tensor, own: Tensor, *branches: Tensor) -> Tensor:
    """Five branches as tensors of their own."""
    return gated_merge(merge, gated_sum(cross, branches[:2]), gated_sum(own, branches[2:]))


def rough_plan(device: torch.device) -> RoutingPlan:
    """Two instances, blocks of 1 to 200 tokens, ids twice, out of range, and none at all."""
    generator = torch.Generator().manual_seed(0)
    table = torch.randint(-2, 8, (1, sum(_QUERIES), 8), generator=generator)
    table[:, 40:60] = -1
    offsets, instances, queries = (
        torch.tensor([0, *sizes]).cumsum(0).int().to(device)
        for sizes in (sum(_SIZES, ()), map(len, _SIZES), _QUERIES)
    )
    return RoutingPlan(queries, Blocks(offsets, instances), table.int().to(device), tile=8)


def _results(function: Function, inputs: list[Tensor], way: str) -> list[Tensor]:
    """The value and the gradients towards fixed weights."""
    given = [each.detach().clone().requires_grad_() for each in inputs]
    with forced(way):
        _poison(inputs[0].device)
        value = function(*given)
        towards = _random(value.device, *value.shape, seed=9).to(value.dtype)
        _poison(inputs[0].device)
        return [value.detach(), *torch.autograd.grad(value, given, towards)]


def _poison(device: torch.device) -> None:
    """Fill memory with NaN and free it: the next tensors are allocated there."""
    if device.type == "cuda":
        torch.full((_POISON // 4,), torch.nan, device=device)
        for size in (1 << 10, 1 << 14, 1 << 18):
            _ = [torch.full((size,), torch.nan, device=device) for _ in range(8)]


def _wide(tensor: Tensor, like: Tensor) -> Tensor:
    """In float64 beside float64, else in float32: points and weights are never shorter."""
    return tensor.to(wide_type(like.dtype))


def _relative(found: Tensor, wanted: Tensor) -> float:
    error = (found.double() - wanted).square().mean().sqrt()
    return float(error / wanted.square().mean().sqrt().clamp_min(1e-300))


def _random(device: torch.device, *shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator).to(device)
