# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which launch of each attention kernel is fastest on this card: `bench sweep` writes the table.

Candidates differ in warps, stages and the size of a program. Each runs all four directions of an
object; one that does not compile, does not fit, or computes something else is passed over. Then the
compressed branch is timed in tiles, as launched by the new table, and through flash-attn.
"""

from __future__ import annotations

import datetime as dt
import itertools
import math
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from backend.shared.terminal import say
from kernels.attention import attention
from kernels.core.routing_plan import TILE_QUERIES
from kernels.gpu.flash_attention import obstacle
from kernels.gpu.launch import fitted
from kernels.gpu.launch_table import KERNELS, Limits, launch_table, read, write
from kernels.tile_attention import tile_attention

from .checks import ALLOWED
from .timings import GPU_HEADS, WIDTH, streams_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from torch import Tensor

    from kernels.core.routing_plan import RoutingPlan
    from kernels.gpu.launch_table import LaunchTable

    from .scene import Scene

    Timer = Callable[[str, Limits], float | None]
    Seconds = Callable[[Callable[[], object]], float]

_WARPS, _STAGES = (4, 8), (1, 2, 3, 4, 5)
_TILES = {
    "forward": ((64, 64), (128, 64), (256, 64)),
    "query": ((64, 64), (128, 64)),
    "key": ((64, 64), (128, 64), (128, 32), (64, 32)),
}
"""Rows and keys of a program; the keys of a turn of the first two are those of a run."""


@dataclass(frozen=True)
class Timed:
    """One candidate.

    Attributes:
        kernel: which one.
        limits: of the candidate.
        milliseconds: of all directions; None if it does not run here, or is wrong.
    """

    kernel: str
    limits: Limits
    milliseconds: float | None


def candidates(kernel: str) -> list[Limits]:
    """All launches that are tried for a kernel."""
    return [
        Limits(rows, keys, warps, stages)
        for (rows, keys), warps, stages in itertools.product(_TILES[kernel], _WARPS, _STAGES)
    ]


def timed(timer: Timer, kernels: Iterable[str] = KERNELS) -> list[Timed]:
    """Every candidate of every kernel.

    Args:
        timer: milliseconds of a kernel in one launch; None where it does not run, or is wrong.
        kernels: some of them.
    """
    found = []
    for kernel in kernels:
        for limits in candidates(kernel):
            found.append(Timed(kernel, limits, timer(kernel, limits)))
            say(_line(found[-1]))
    return found


def fastest(
    table: LaunchTable, found: list[Timed], architecture: int, width: int, source: str
) -> LaunchTable:
    """The table with the fastest candidate of each kernel; without one, a kernel keeps its row.

    Args:
        table: to start from.
        found: candidates with their times.
        architecture: the first number of the compute capability.
        width: of a head.
        source: card, versions and date.
    """
    for kernel in KERNELS:
        ran = [(each.milliseconds, each.limits) for each in found if each.kernel == kernel]
        times = [(spent, limits) for spent, limits in ran if spent is not None]
        if times:
            _, limits = min(times, key=lambda each: each[0])
            row = replace(limits, source=source)
            table = table.with_row(architecture, kernel, width, row)
    return table


def _line(found: Timed) -> str:
    limits, spent = found.limits, found.milliseconds
    time = "does not run, or is wrong" if spent is None else f"{spent:.2f} ms"
    size = f"{limits.rows} x {limits.keys}, {limits.warps} warps, {limits.stages} stages"
    return f"{found.kernel:<8} {size:<34}{time}"


class CardTimer:
    """Times candidates on this card, on all directions of an object, in bfloat16."""

    def __init__(self, plans: Iterable[RoutingPlan], seconds: Seconds) -> None:
        """Compute what is right, in the launches of the table.

        Args:
            plans: of the directions.
            seconds: that a call takes.
        """
        self._works = [_Work(plan) for plan in plans]
        self._seconds = seconds

    def __call__(self, kernel: str, limits: Limits) -> float | None:
        """Milliseconds of all directions; None for a candidate that fails or is wrong."""
        from triton.compiler.errors import CompilationError
        from triton.runtime.errors import OutOfResources, PTXASError

        spent = 0.0
        for work in self._works:
            call = partial(work.run, kernel, limits)
            try:
                found = call()
            except (CompilationError, OutOfResources, PTXASError):
                return None
            if not agrees(found, work.wanted[kernel]):
                return None
            spent += 1000 * self._seconds(call)
        return spent


class _Work:
    """One direction of attention: its tensors, and what each kernel should find."""

    def __init__(self, plan: RoutingPlan) -> None:
        from kernels.gpu.tile_attention import forward

        self._tiles = plan.tiled(TILE_QUERIES["cuda"]).selected[0]
        streams = streams_of(plan, GPU_HEADS, torch.bfloat16)
        self._shape = (TILE_QUERIES["cuda"], GPU_HEADS[0] // GPU_HEADS[1], WIDTH)
        out, lse = forward(*streams, self._tiles, bounded_scores=True)
        self._saved, self._grad = (*streams, out, lse), torch.randn_like(out)
        self._delta = self._grad.new_empty(0)
        query_grad, self._delta = self.run("query")
        self.wanted: dict[str, tuple[Tensor, ...]] = {
            "forward": (out, lse),
            "query": (query_grad, self._delta),
        }
        self.wanted["key"] = self.run("key")

    def run(self, kernel: str, limits: Limits | None = None) -> tuple[Tensor, ...]:
        """What a kernel finds in a launch, or in that of the table."""
        from kernels.gpu.tile_attention import forward
        from kernels.gpu.tile_attention_backward import key_gradients, query_gradient

        tiles, saved, bounded = self._tiles, self._saved, True
        launch = fitted(kernel, torch.bfloat16, self._shape, limits) if limits else None
        if kernel == "forward":
            return forward(*saved[:3], tiles, bounded_scores=bounded, launch=launch)
        if kernel == "query":
            return query_gradient(self._grad, saved, tiles, bounded_scores=bounded, launch=launch)
        return key_gradients(self._grad, saved, self._delta, tiles, launch=launch)


def agrees(found: tuple[Tensor, ...], wanted: tuple[Tensor, ...]) -> bool:
    """Whether results are equal up to the rounding of bfloat16; NaN agrees with nothing."""
    for one, other in zip(found, wanted, strict=True):
        seen = other.isfinite()  # log-sum-exps of queries without keys are not
        error = (one.float() - other.float())[seen].square().mean().sqrt()
        if not error <= ALLOWED[torch.bfloat16] * other.float()[seen].square().mean().sqrt():
            return False
    return True


def run_sweep(scene: Scene, file: Path) -> dict[str, Any]:
    """Time every candidate on this card and write the fastest into the table.

    Args:
        scene: an object at the size that counts.
        file: of the table.
    """
    import triton

    card = torch.cuda.get_device_name()
    day = dt.datetime.now(tz=dt.UTC).date().isoformat()
    source = f"{card}, torch {torch.__version__}, triton {triton.__version__}, {day}, {scene.name}"
    found = timed(CardTimer(scene.plans.values(), _median))
    architecture = torch.cuda.get_device_capability()[0]
    table = fastest(read(file), found, architecture, WIDTH, source)
    write(table, file)
    launch_table.cache_clear()
    compressed = compressed_times(scene.plans.values(), _median)
    write(table.with_compressed(architecture, by_flash(compressed, source)), file)
    launch_table.cache_clear()
    return {
        "source": source,
        "table": str(file),
        "candidates": [asdict(each) for each in found],
        "compressed_milliseconds": compressed,
    }


@torch.no_grad()
def compressed_times(plans: Iterable[RoutingPlan], seconds: Seconds) -> dict[str, float]:
    """Milliseconds of the compressed branch of all directions, forward, bfloat16.

    By "tiles", and by "flash-attn" where it runs here.

    Args:
        plans: of the directions.
        seconds: that a call takes.
    """
    tiles, flash = 0.0, 0.0
    for plan in plans:
        streams = streams_of(plan, GPU_HEADS, torch.bfloat16, plan.blocks.count)
        tiled = plan.tiled(TILE_QUERIES["cuda"]).compressed
        offsets = plan.query_offsets, plan.blocks.instance_offsets
        by_tiles = partial(tile_attention, *streams, tiled, bounded_scores=True)
        whole = partial(attention, *streams, *offsets)
        tiles += 1000 * seconds(by_tiles)
        runs = not obstacle(streams[0].device, torch.bfloat16, WIDTH)
        right = runs and agrees((whole(),), by_tiles()[:1])
        flash += 1000 * seconds(whole) if right else math.inf
    return {"tiles": tiles} | ({"flash-attn": flash} if flash < math.inf else {})


def by_flash(spent: dict[str, float], source: str) -> str:
    """What the table says of flash-attn: the measurement if it is faster than tiles, else nothing.

    Args:
        spent: milliseconds, see `compressed_times`.
        source: card, versions and date.
    """
    flash = spent.get("flash-attn", math.inf)
    if flash >= spent["tiles"]:
        return ""
    return f"{flash:.2f} ms, tiles {spent['tiles']:.2f} ms: {source}"


def _median(call: Callable[[], object]) -> float:
    """Seconds of a call on a card, which is warm."""
    from triton.testing import do_bench

    milliseconds: float = do_bench(call, warmup=25, rep=100, return_mode="median")
    return milliseconds / 1000
