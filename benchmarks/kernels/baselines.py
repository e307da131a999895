# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernels on a GPU timed against what they replace, in one run, on the same tensors.

A baseline that does not run here, or that computes something else, is named with its reason.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from kernels.attention import attention
from kernels.compressed_attention import compressed_attention
from kernels.core.dispatch import forced
from kernels.core.routing_plan import TILE_QUERIES
from kernels.gpu.flash_attention import obstacle
from kernels.selected_attention import selected_attention

from .block_sparse import BlockSparseAttention
from .flex import FlexAttention
from .sweep import agrees
from .timings import GPU_HEADS, WIDTH, as_one, attention_work, dense_work, streams_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kernels.core.routing_plan import RoutingPlan

    from .card import Work
    from .timings import Row, Stopwatch

    Call = Callable[[], object]

DTYPE = torch.bfloat16
CACHE_SLACK = 1.5
"""How many times as long as its keys take through L2 the query-centric forward may take. A slower
baseline is no fair comparison."""


@dataclass(frozen=True)
class Way:
    """One implementation.

    Attributes:
        name: of it.
        work: that it does at least.
        prepare: makes the call that is timed.
        wanted: what it should find; None where it computes something else by design.
        own: whether it is LSRM's, so that a failure is an error.
    """

    name: str
    work: Work
    prepare: Callable[[], Call]
    wanted: Tensor | None = None
    own: bool = False


@dataclass
class Comparison:
    """What was timed in a run.

    Attributes:
        rows: what ran.
        missing: why each other one did not.
    """

    rows: list[Row] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)

    def time(self, direction: str, tokens: int, way: Way, watch: Stopwatch) -> None:
        """Time an implementation, if it finds what it should."""
        name = f"{direction}, {way.name}"
        try:
            call = way.prepare()
            if way.wanted is not None and not agrees((_output(call()),), (way.wanted,)):
                self.missing[name] = "computes something else"
                return
            self.rows.append(watch.row(name, tokens, way.work, call))
        except Exception as error:  # whatever stops a baseline, the others are still timed
            if way.own:
                raise
            self.missing[name] = f"{type(error).__name__}: {error}".splitlines()[0]


@torch.no_grad()
def compare(plans: dict[str, RoutingPlan], watch: Stopwatch) -> Comparison:
    """Every direction in tiles, query by query as published, by other kernels, and densely.

    Args:
        plans: by direction.
        watch: that times.
    """
    found = Comparison()
    for direction, plan in plans.items():
        for ways in (_selected(plan), _compressed(plan)):
            for way in ways:
                found.time(direction, plan.queries, way, watch)
    return found


def _selected(plan: RoutingPlan) -> Iterator[Way]:
    from kernels.gpu.tile_attention_backward import backward

    from .query_centric import query_centric_backward, query_centric_forward

    tiled, single = plan.tiled(TILE_QUERIES["cuda"]), plan.tiled(1)
    streams = streams_of(plan, GPU_HEADS, DTYPE)
    out, lse = selected_attention(*streams, tiled, bounded_scores=True)
    grad, saved = torch.randn_like(out), (*streams, out, lse)
    (tiles,), (queries,) = tiled.selected, single.selected
    work, single_work = (attention_work(each, GPU_HEADS, DTYPE) for each in (tiles, queries))
    of_gradients, of_single_gradients = (
        attention_work(each, GPU_HEADS, DTYPE, backward=True) for each in (tiles, queries)
    )
    others = replace(work, cache_bytes=None)  # how often they read keys is unknown
    attend = partial(selected_attention, *streams, tiled, bounded_scores=True)
    gradients = partial(backward, grad, saved, tiles, bounded_scores=True)
    by_query = partial(query_centric_forward, *streams, single)
    back_by_query = partial(query_centric_backward, grad, saved, single)
    yield Way("tiles, forward", work, lambda: attend, own=True)
    yield Way("query-centric, forward", single_work, lambda: by_query, out)
    yield Way("tiles, backward", of_gradients, lambda: gradients, own=True)
    yield Way("query-centric, backward", of_single_gradients, lambda: back_by_query)

    def by_flex() -> Call:
        return partial(FlexAttention.of(plan, compiled=True), *streams)

    def by_flashinfer(tile: int) -> Call:
        return partial(BlockSparseAttention.of(plan.tiled(tile), GPU_HEADS, streams[0]), *streams)

    yield Way("flex_attention, forward", others, by_flex, out)
    yield Way("flashinfer by query, forward", others, partial(by_flashinfer, 1), out)
    unions = partial(by_flashinfer, TILE_QUERIES["cuda"])
    yield Way("flashinfer, whole unions of tiles, forward", others, unions)
    whole = dense_work(tiles, GPU_HEADS, DTYPE)
    yield from _fused("dense", whole, partial(attention, *streams, *as_one(plan)))


def _compressed(plan: RoutingPlan) -> Iterator[Way]:
    streams = streams_of(plan, GPU_HEADS, DTYPE, plan.blocks.count)
    tiled = plan.tiled(TILE_QUERIES["cuda"])
    work = attention_work(tiled.compressed, GPU_HEADS, DTYPE)
    attend = partial(compressed_attention, *streams, tiled, bounded_scores=True)
    yield Way("compressed, tiles, forward", work, lambda: attend, own=True)
    offsets = plan.query_offsets, plan.blocks.instance_offsets
    whole = replace(work, cache_bytes=None)
    yield from _fused("compressed", whole, partial(attention, *streams, *offsets))


def _fused(name: str, work: Work, attend: Callable[[], Tensor]) -> Iterator[Way]:
    """Dense attention by torch's own kernel, and by flash-attn."""

    def by_torch() -> Tensor:
        with forced("reference"):
            return attend()

    def by_flash() -> Call:
        if missing := obstacle(torch.device("cuda"), DTYPE, WIDTH):
            raise RuntimeError(missing)
        return attend

    yield Way(f"{name}, torch, forward", work, lambda: by_torch)
    yield Way(f"{name}, flash-attn, forward", work, by_flash)


def query_centric_limit(rows: list[Row]) -> float | None:
    """Most milliseconds of a query-centric forward, volume to volume, that is a fair baseline.

    It reads the keys of every query anew, so that L2 bounds it: the milliseconds that these keys
    take at the clock of the run, times `CACHE_SLACK`. None where the rate of L2 is unknown.
    """
    row = _baseline(rows)
    cache = row.bounds.get("L2") if row else None
    return None if cache is None else CACHE_SLACK * cache


def baseline_counts(rows: list[Row]) -> bool:
    """Whether the query-centric design is fast enough for a fair comparison."""
    row, limit = _baseline(rows), query_centric_limit(rows)
    return row is not None and limit is not None and row.milliseconds <= limit


def over_query_centric(rows: list[Row]) -> dict[str, float]:
    """How many times faster tiles are than the query-centric design, by direction and pass."""
    times = {row.name: row.milliseconds for row in rows}
    slow = {name: name.replace("tiles", "query-centric") for name in times if "tiles" in name}
    return {name: times[other] / times[name] for name, other in slow.items() if other in times}


def _baseline(rows: list[Row]) -> Row | None:
    name = "volume_to_volume, query-centric, forward"
    return next((row for row in rows if row.name == name), None)


def _output(found: object) -> Tensor:
    """The attended values, without a log-sum-exp."""
    out = found[0] if isinstance(found, tuple) else found
    if not isinstance(out, Tensor):
        raise TypeError(f"a baseline returned {type(out).__name__}")
    return out
