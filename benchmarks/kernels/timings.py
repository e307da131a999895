# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls timed beside what bounds them, and the reference on a CPU against torch's own."""

from __future__ import annotations

import time
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from kernels.attention import attention
from kernels.core.plan_statistics import statistics
from kernels.layer_norm import layer_norm
from kernels.selected_attention import selected_attention

from .card import Card, ClockLog, Work, read_clock
from .spot_check import loop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kernels.core.routing_plan import QueryTiles, RoutingPlan

    from .scene import Scene

CPU_HEADS, GPU_HEADS, WIDTH = (16, 1), (32, 2), 32
_DENSE_FROM = 2048
_LOOP_QUERIES = 256
_SELECTED = "selected, reference"


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        name: of what was timed.
        tokens: number of queries.
        milliseconds: of the best run, or the median on a GPU.
        useful_tflops: of the products; of attention those of the pairs that the table selects, 4 D
            per pair and head.
        gigabytes_per_second: of keys and values, counted each time a tile reads them.
        share_of_bound: on a GPU, the largest of `bounds` over the time of the run.
        gigahertz: clock of the GPU's multiprocessors during the run; None if nothing tells it.
        bounds: on a GPU, the least milliseconds at this clock, by the unit that bounds them.
    """

    name: str
    tokens: int
    milliseconds: float
    useful_tflops: float
    gigabytes_per_second: float | None
    share_of_bound: float | None
    gigahertz: float | None = None
    bounds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Stopwatch:
    """Times calls on this machine.

    Attributes:
        card: the GPU; None without one.
        clocks: its clock meanwhile.
        patience: seconds on a CPU after which the best run so far counts.
    """

    card: Card | None = None
    clocks: ClockLog | None = None
    patience: float = 2.0

    @classmethod
    @contextmanager
    def of_machine(cls, patience: float = 2.0) -> Iterator[Stopwatch]:
        """One that reads the clock of the GPU, if there is one, until the context ends."""
        cuda = torch.cuda.is_available()
        with ClockLog(read_clock) if cuda else nullcontext() as clocks:
            yield cls(Card.measured(clock, clocks) if clocks else None, clocks, patience)

    @property
    def rates(self) -> dict[str, Any] | None:
        """What the GPU can do, as measured; None without one."""
        return None if self.card is None else asdict(self.card)

    def row(self, name: str, tokens: int, work: Work, call: Callable[[], object]) -> Row:
        """Time a call."""
        begin = time.perf_counter()
        seconds = clock(call, self.patience)
        gigahertz = self.clocks.between(begin, time.perf_counter()) if self.clocks else None
        bounds = self.card.bounds(work, gigahertz) if self.card else {}
        return Row(
            name,
            tokens,
            1000 * seconds,
            work.flops / seconds / 1e12,
            None if work.cache_bytes is None else work.cache_bytes / seconds / 1e9,
            max(bounds.values()) / (1000 * seconds) if bounds else None,
            gigahertz,
            bounds,
        )


def against_loop(scene: Scene, watch: Stopwatch) -> list[Row]:
    """The reference implementation, and a plain loop over the queries."""
    plan = first_queries(scene.plans["volume_to_volume"], _LOOP_QUERIES)
    query, key, value = streams_of(plan, CPU_HEADS, torch.float32)
    work = attention_work(plan.selected[0], CPU_HEADS, torch.float32)
    ways: dict[str, Callable[..., object]] = {
        "reference": selected_attention,
        "loop over queries": loop,
    }
    return [
        watch.row(
            f"selected, {name}, forward", plan.queries, work, partial(way, query, key, value, plan)
        )
        for name, way in ways.items()
    ]


def against_dense(scene: Scene, watch: Stopwatch) -> list[Row]:
    """The reference and torch's fused dense attention, up to all tokens of the object."""
    whole = scene.plans["volume_to_volume"]
    rows, tokens = [], _DENSE_FROM
    while True:
        plan = first_queries(whole, tokens, keys_too=True)
        query, key, value = streams_of(plan, CPU_HEADS, torch.float32)
        work = attention_work(plan.selected[0], CPU_HEADS, torch.float32)
        sparse = partial(selected_attention, query, key, value, plan)
        rows.append(watch.row(f"{_SELECTED}, forward", plan.queries, work, sparse))
        work = dense_work(plan.selected[0], CPU_HEADS, torch.float32)
        dense = partial(attention, query, key, value, *as_one(plan))
        rows.append(watch.row("dense, torch, forward", plan.queries, work, dense))
        if tokens >= whole.queries:
            return rows
        tokens *= 2


def dense_over_selected(rows: list[Row]) -> dict[int, float]:
    """Time of dense attention over that of selected attention, by tokens."""
    times: dict[str, dict[int, float]] = {
        kind: {row.tokens: row.milliseconds for row in rows if row.name.startswith(name)}
        for kind, name in (("dense", "dense, torch"), ("selected", _SELECTED))
    }
    return {
        tokens: slow / times["selected"][tokens]
        for tokens, slow in times["dense"].items()
        if tokens in times["selected"]
    }


def first_queries(plan: RoutingPlan, count: int, *, keys_too: bool = False) -> RoutingPlan:
    """The plan of the first queries of one instance; on request of as many keys, in whole blocks.

    A block that is cut off is replaced by the block as far from the end, so that every query
    selects as many keys as before.
    """
    from kernels.core.blocks import Blocks
    from kernels.core.routing_plan import RoutingPlan

    if plan.table is None or plan.queries <= count:
        return plan
    blocks, table = plan.blocks, plan.table[:, :count]
    if keys_too:
        kept = int((blocks.token_offsets <= count).sum()) - 1
        count = int(blocks.token_offsets[kept])
        table = torch.where(table >= kept, 2 * kept - 1 - table, table)[:, :count].clamp_min(-1)
        ends = blocks.instance_offsets.new_tensor([0, kept])
        blocks = Blocks(blocks.token_offsets[: kept + 1], ends)
    order = plan.order if plan.order is None else plan.order[plan.order < count]
    return RoutingPlan(plan.query_offsets.new_tensor([0, count]), blocks, table, plan.tile, order)


def clock(call: Callable[[], object], patience: float = 2.0) -> float:
    """Seconds of the best of several calls; on a GPU, between two events, after warming up."""
    if torch.cuda.is_available():
        from triton.testing import do_bench

        milliseconds: float = do_bench(call, warmup=200, rep=1000, return_mode="median")
        return milliseconds / 1000
    best, spent = float("inf"), 0.0
    while spent < patience:
        begin = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - begin)
        spent += time.perf_counter() - begin
    return best


def as_one(plan: RoutingPlan) -> tuple[Tensor, Tensor]:
    """Offsets of queries and keys as if all instances were one long one."""
    queries, keys = plan.query_offsets, plan.blocks.token_offsets
    return queries[[0, -1]], keys[[0, -1]]


def streams_of(
    plan: RoutingPlan, heads: tuple[int, int], dtype: torch.dtype, keys: int | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Random queries, keys and values for a plan; queries and keys layer-normed, as the network's.

    Args:
        plan: of the streams.
        heads: of queries, and of keys and values.
        dtype: of the streams.
        keys: how many; None for all tokens of the plan.
    """
    generator = torch.Generator().manual_seed(0)
    count = plan.blocks.tokens if keys is None else keys
    device = plan.query_offsets.device

    def random(count: int, heads: int) -> Tensor:
        return torch.randn(count, heads, WIDTH, generator=generator).to(device, dtype)

    query, key = layer_norm(random(plan.queries, heads[0])), layer_norm(random(count, heads[1]))
    return query, key, random(count, heads[1])


def attention_work(
    tiles: QueryTiles, heads: tuple[int, int], dtype: torch.dtype, *, backward: bool = False
) -> Work:
    """The least that attention in these tiles does, forward or backward."""
    numbers = statistics(tiles)
    work = _work(numbers.queries, numbers.keys, numbers.pairs, heads, dtype, backward=backward)
    read = numbers.pairs * numbers.traffic * heads[1] * 2 * WIDTH * dtype.itemsize
    return replace(work, cache_bytes=read)


def dense_work(tiles: QueryTiles, heads: tuple[int, int], dtype: torch.dtype) -> Work:
    """The same of every query with every key, forward; how often keys are read is unknown."""
    numbers = statistics(tiles)
    queries, keys = numbers.queries, numbers.keys
    return _work(queries, keys, queries * keys, heads, dtype, backward=False)


def _work(
    queries: int,
    keys: int,
    pairs: int,
    heads: tuple[int, int],
    dtype: torch.dtype,
    *,
    backward: bool,
) -> Work:
    passes = 2 if backward else 1  # a gradient of every stream, beside the stream itself
    return Work(
        exponentials=pairs * heads[0],
        flops=(10 if backward else 4) * WIDTH * pairs * heads[0],  # five products, or two
        memory_bytes=passes * 2 * (queries * heads[0] + keys * heads[1]) * WIDTH * dtype.itemsize,
    )
