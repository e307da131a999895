# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `bench kernels` and `bench layer` print for people, and return as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import torch

from backend.shared.terminal import say
from kernels.core.plan_statistics import statistics
from kernels.core.routing_plan import TILE_QUERIES

from .layer import PASSES, time_layer
from .spot_check import spot_check
from .timings import (
    CPU_HEADS,
    GPU_HEADS,
    against_dense,
    against_loop,
    dense_over_selected,
    streams_of,
)

if TYPE_CHECKING:
    from torch import Tensor

    from backend.model.routing.routes import Plan
    from backend.model.transformer import Block

    from .scene import Scene
    from .timings import Row, Stopwatch


def report_routing(scene: Scene) -> dict[str, dict[str, Any]]:
    """Statistics of the four tables in tiles of 8, which decide the speed on a GPU."""
    queries = TILE_QUERIES["cuda"]
    say(f"\nRouting of {scene.name} in {scene.seconds:.2f} s, tiles of {queries} queries")
    say(
        f"{'':<18}{'queries':>9}{'keys':>9}{'keys/query':>11}{'union':>7}{'useful':>8}{'traffic':>9}"
    )
    found = {}
    for direction, plan in scene.plans.items():
        (tiles,) = plan.tiled(TILE_QUERIES["cuda"]).selected
        numbers = statistics(tiles)
        found[direction] = asdict(numbers)
        say(
            f"{direction:<18}{numbers.queries:>9}{numbers.keys:>9}{numbers.keys_per_query:>11.0f}"
            f"{numbers.union_blocks:>7.1f}{numbers.useful_share:>8.2f}{numbers.traffic:>9.3f}"
        )
    return found


def report_on_cpu(scene: Scene, watch: Stopwatch) -> dict[str, Any]:
    """The reference against a loop and against dense attention."""
    spots = _spot_checks(scene, CPU_HEADS, torch.float32)
    rows = print_rows([*against_loop(scene, watch), *against_dense(scene, watch)])
    times = [asdict(row) for row in rows]
    return {"spot_checks": spots, "times": times, "dense_over_selected": crossover(rows)}


def report_on_gpu(scaled: Scene, watch: Stopwatch) -> dict[str, Any]:
    """The kernels against their baselines, on an object that is repeated as further instances."""
    from . import baselines  # imports Triton

    say(f"\nScaled by repeating the object as further instances: {scaled.name}")
    spots = _spot_checks(scaled, GPU_HEADS, baselines.DTYPE)
    found = baselines.compare(scaled.plans, watch)
    print_rows(found.rows)
    for name, reason in found.missing.items():
        say(f"{name}: missing, {reason}")
    ratios = baselines.over_query_centric(found.rows)
    for name, ratio in ratios.items():
        say(f"{name}: {ratio:.2f} times as fast as query by query")
    limit, counts = baselines.query_centric_limit(found.rows), baselines.baseline_counts(found.rows)
    if limit is not None:
        verdict = "at most" if counts else "more than"
        say(
            f"Query by query, volume to volume takes {verdict} {limit:.0f} ms, "
            f"{baselines.CACHE_SLACK} times what L2 needs for the keys of its queries."
        )
    return {
        "card": watch.rates,
        "spot_checks": spots,
        "times": [asdict(row) for row in found.rows],
        "missing": found.missing,
        "over_query_centric": ratios,
        "baseline_limit_milliseconds": limit,
        "baseline_counts": counts,
    }


def report_layer(
    layer: tuple[Block, tuple[Tensor, Tensor], Plan], watch: Stopwatch
) -> dict[str, Any]:
    """A sparse layer part by part, and what of it no part accounts for.

    Args:
        layer: with its streams and its plan.
        watch: that times.
    """
    found: dict[str, Any] = {}
    for name in PASSES:
        try:
            times = time_layer(*layer, watch, name)
        except torch.OutOfMemoryError as error:
            say(f"{name}: {error}")
            found[name] = {"missing": str(error)}
            continue
        print_rows([*times.parts, times.whole])
        whole = times.whole.milliseconds
        for kind, spent in (times.sums | {"not accounted for": times.not_accounted}).items():
            say(f"{kind:<20}{spent:>11.2f} ms{spent / whole:>6.0%} of the layer")
        found[name] = asdict(times) | {"not_accounted_milliseconds": times.not_accounted}
    return {"card": watch.rates, "passes": found}


def crossover(rows: list[Row]) -> dict[int, float]:
    """From how many tokens on the reference beats torch's dense attention, in this run."""
    ratios = dense_over_selected(rows)
    won = [tokens for tokens, ratio in ratios.items() if ratio > 1]
    say("\nTime of dense attention / time of selected attention, 16 heads of width 32:")
    say("  ".join(f"{tokens} tokens: {ratio:.2f}" for tokens, ratio in ratios.items()))
    say(f"Selected attention is faster from {min(won)} tokens." if won else "Dense is faster.")
    return ratios


def _spot_checks(
    scene: Scene, heads: tuple[int, int], dtype: torch.dtype
) -> dict[str, dict[str, Any]]:
    """Some queries of each direction against a loop, at the full size."""
    found = {}
    say(f"\n{'random queries against a loop':<34}{'error':>9}{'allowed':>9}")
    for direction, plan in scene.plans.items():
        check = spot_check(plan, streams_of(plan, heads, dtype))
        verdict = "" if check.ok else "  WRONG"
        name = f"{direction}, {check.queries} of {check.of}"
        say(f"{name:<34}{check.error:>9.1e}{check.allowed:>9.1e}{verdict}")
        found[direction] = asdict(check) | {"ok": check.ok}
    return found


def print_rows(rows: list[Row]) -> list[Row]:
    """A table; on a GPU with its clock and what bounds each row at that clock."""
    units = sorted({unit for row in rows for unit in row.bounds})
    columns = [("tokens", 8), ("ms", 11), ("TFLOP/s", 10), ("GB/s", 8), ("GHz", 7)]
    columns += [*((unit, 11) for unit in units), ("of bound", 10)]
    longest = max(len(row.name) for row in rows)
    say("\n" + " " * longest + "".join(f"{title:>{width}}" for title, width in columns))
    if not units:
        say("Clock and bounds: not measured on a GPU.")
    for row in rows:
        share = "" if row.share_of_bound is None else f"{row.share_of_bound:.0%}"
        rate = "" if row.gigabytes_per_second is None else f"{row.gigabytes_per_second:.1f}"
        speed = "" if row.gigahertz is None else f"{row.gigahertz:.2f}"
        found = [f"{row.bounds[unit]:.2f}" if unit in row.bounds else "" for unit in units]
        bounds = "".join(f"{each:>11}" for each in found)
        say(
            f"{row.name:<{longest}}{row.tokens:>8}{row.milliseconds:>11.2f}"
            f"{row.useful_tflops:>10.3f}{rate:>8}{speed:>7}{bounds}{share:>10}"
        )
    return rows
