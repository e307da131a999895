# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Selected attention timed against what it replaces, in one run, on the same tensors."""

from __future__ import annotations

import functools
import logging
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from kernels.attention import attention, group_heads
from kernels.core.plan_statistics import statistics
from kernels.core.routing_plan import TILE_QUERIES
from kernels.core.segments import ranges
from kernels.layer_norm import layer_norm
from kernels.selected_attention import selected_attention

if TYPE_CHECKING:
    from collections.abc import Callable

    from kernels.core.routing_plan import RoutingPlan

    from .scene import Scene

LOGGER = logging.getLogger(__name__)

CPU_HEADS, GPU_HEADS, WIDTH = (16, 1), (32, 2), 32
BASELINE_MILLISECONDS = 60.0
"""Most that the query-centric forward may take from volume to volume at the paper's size on an
H200, whose cache bounds it by 39. A slower baseline is no fair comparison."""
_DENSE_FROM = 2048
_LOOP_QUERIES = 256
_SELECTED = "selected, reference"
_EXPONENTIALS = 16  # per clock and multiprocessor, from Ampere to Hopper


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        name: of what was timed.
        tokens: number of queries.
        milliseconds: of the best run, or the median on a GPU.
        useful_tflops: of the pairs that the table selects, 4 D per pair and head.
        gigabytes_per_second: of keys and values, counted each time a tile reads them.
        share_of_bound: on a GPU, the time of its exponentials or products, whichever are slower,
            over the time of the run.
    """

    name: str
    tokens: int
    milliseconds: float
    useful_tflops: float
    gigabytes_per_second: float | None
    share_of_bound: float | None


def against_loop(scene: Scene) -> list[Row]:
    """The reference implementation, and a plain loop over the queries."""
    plan = first_queries(scene.plans["volume_to_volume"], _LOOP_QUERIES)
    query, key, value = streams_of(plan, CPU_HEADS, torch.float32)
    plan.selected  # noqa: B018 - made once per object, so not on the clock
    rows = []
    ways: dict[str, Callable[..., object]] = {
        "reference": selected_attention,
        "loop over queries": loop,
    }
    for name, way in ways.items():
        seconds = clock(partial(way, query, key, value, plan))
        rows.append(_row(f"selected, {name}, forward", plan, CPU_HEADS, seconds))
    return rows


def against_dense(scene: Scene) -> list[Row]:
    """The reference and torch's fused dense attention, up to all tokens of the object."""
    whole = scene.plans["volume_to_volume"]
    rows, tokens = [], _DENSE_FROM
    while True:
        plan = first_queries(whole, tokens, keys_too=True)
        query, key, value = streams_of(plan, CPU_HEADS, torch.float32)
        plan.selected  # noqa: B018 - made once per object, so not on the clock
        sparse = clock(partial(selected_attention, query, key, value, plan))
        dense = clock(partial(attention, query, key, value, *_as_one(plan)))
        rows.append(_row(f"{_SELECTED}, forward", plan, CPU_HEADS, sparse))
        rows.append(_row("dense, torch, forward", plan, CPU_HEADS, dense, dense=True))
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


def against_baselines(direction: str, plan: RoutingPlan) -> list[Row]:
    """Forward and backward in tiles, query by query as published, by flex_attention, densely."""
    from kernels.gpu.tile_attention_backward import backward

    from .flex import FlexAttention
    from .query_centric import query_centric_backward, query_centric_forward

    streams = streams_of(plan, GPU_HEADS, torch.bfloat16)
    tiled, single = plan.tiled(TILE_QUERIES["cuda"]), plan.tiled(1)
    attend = partial(selected_attention, bounded_scores=True)
    with torch.no_grad():
        out, lse = attend(*streams, tiled)
        grad, saved = torch.randn_like(out), (*streams, out, lse)
        ways: dict[str, Callable[[], Callable[[], object]]] = {
            "tiles, forward": lambda: partial(attend, *streams, tiled),
            "query-centric, forward": lambda: partial(query_centric_forward, *streams, single),
            "tiles, backward": lambda: partial(
                backward, grad, saved, tiled.selected[0], bounded_scores=True
            ),
            "query-centric, backward": lambda: partial(query_centric_backward, grad, saved, single),
            "flex_attention, forward": lambda: partial(
                FlexAttention.of(plan, compiled=True), *streams
            ),
            "dense, torch, forward": lambda: partial(attention, *streams, *_as_one(plan)),
        }
        seconds = {name: _seconds(f"{direction}, {name}", way) for name, way in ways.items()}
    return [
        _row(
            f"{direction}, {name}",
            single if "query-centric" in name else tiled,
            GPU_HEADS,
            each,
            dense="dense" in name,
        )
        for name, each in seconds.items()
        if each is not None
    ]


def baseline_counts(rows: list[Row]) -> bool:
    """Whether the query-centric design is fast enough for a fair comparison."""
    name = "volume_to_volume, query-centric, forward"
    return any(row.name == name and row.milliseconds <= BASELINE_MILLISECONDS for row in rows)


def over_query_centric(rows: list[Row]) -> dict[str, float]:
    """How many times faster tiles are than the query-centric design, by direction and pass."""
    times = {row.name: row.milliseconds for row in rows}
    slow = {name: name.replace("tiles", "query-centric") for name in times if "tiles" in name}
    return {name: times[other] / times[name] for name, other in slow.items() if other in times}


def _seconds(name: str, prepare: Callable[[], Callable[[], object]]) -> float | None:
    """The time of one implementation; None, and a warning, if a baseline cannot run."""
    try:
        return clock(prepare())
    except Exception as error:  # whatever stops a comparison, tiles are still timed
        if "tiles" in name:
            raise
        LOGGER.warning("%s does not run here: %s", name, error)
        return None


def loop(query: Tensor, key: Tensor, value: Tensor, plan: RoutingPlan) -> Tensor:
    """Selected attention query by query, as it is defined. One instance, one table."""
    if plan.table is None:
        raise ValueError("this plan holds no block table")
    out = torch.zeros_like(query)
    for number, row in enumerate(plan.table[0].long()):
        blocks = row[row >= 0]
        starts = plan.blocks.token_offsets[blocks].long()
        tokens = ranges(starts, plan.blocks.token_offsets[blocks + 1] - starts)
        rows = group_heads(query[number, None], key.shape[1])
        scores = rows @ key[tokens].permute(1, 2, 0) / query.shape[2] ** 0.5
        out[number] = (scores.softmax(-1) @ value[tokens].transpose(0, 1)).flatten(0, 1)
    return out


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


def clock(call: Callable[[], object]) -> float:
    """Seconds of the best of several calls; on a GPU, between two events, after warming up."""
    if torch.cuda.is_available():
        from triton.testing import do_bench

        milliseconds: float = do_bench(call, warmup=200, rep=1000, return_mode="median")
        return milliseconds / 1000
    best, spent = float("inf"), 0.0
    while spent < 2:
        begin = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - begin)
        spent += time.perf_counter() - begin
    return best


def _as_one(plan: RoutingPlan) -> tuple[Tensor, Tensor]:
    """Offsets of queries and keys as if all instances were one long one."""
    queries, keys = plan.query_offsets, plan.blocks.token_offsets
    return queries[[0, -1]], keys[[0, -1]]


def streams_of(
    plan: RoutingPlan, heads: tuple[int, int], dtype: torch.dtype
) -> tuple[Tensor, Tensor, Tensor]:
    """Random queries, keys and values for a plan; queries and keys layer-normed, as the network's.

    Args:
        plan: of the streams.
        heads: of queries, and of keys and values.
        dtype: of the streams.
    """
    generator = torch.Generator().manual_seed(0)
    keys = int(plan.blocks.token_offsets[-1])
    device = plan.query_offsets.device

    def random(count: int, heads: int) -> Tensor:
        return torch.randn(count, heads, WIDTH, generator=generator).to(device, dtype)

    query, key = layer_norm(random(plan.queries, heads[0])), layer_norm(random(keys, heads[1]))
    return query, key, random(keys, heads[1])


def _row(
    name: str, plan: RoutingPlan, heads: tuple[int, int], seconds: float, *, dense: bool = False
) -> Row:
    numbers = statistics(plan.selected[0])
    pairs = numbers.queries * numbers.keys if dense else numbers.pairs
    flops = (10 if "backward" in name else 4) * WIDTH * pairs * heads[0]  # five products, or two
    on_gpu = plan.query_offsets.is_cuda
    read = pairs * numbers.traffic * heads[1] * 2 * WIDTH * (2 if on_gpu else 4)
    counted = not dense and "flex" not in name  # of others, reads of keys are unknown
    bound = max(exponential_seconds(pairs * heads[0]), flops / product_rate()) if on_gpu else None
    return Row(
        name,
        numbers.queries,
        1000 * seconds,
        flops / seconds / 1e12,
        read / seconds / 1e9 if counted else None,
        None if bound is None else bound / seconds,
    )


@functools.cache
def product_rate() -> float:
    """Operations per second of a large bfloat16 matrix product on this GPU."""
    sides = [torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in range(2)]
    return 2 * 8192**3 / clock(partial(torch.matmul, *sides))


def exponential_seconds(pairs: int) -> float:
    """How long the exponentials alone take: at a width of 32 they, not products, are the bound."""
    from triton.runtime import driver

    properties = driver.active.utils.get_device_properties(torch.cuda.current_device())
    clock_rate: float = 1000.0 * properties["sm_clock_rate"]  # given in kHz
    units: int = _EXPONENTIALS * properties["multiprocessor_count"]
    return pairs / (units * clock_rate)
