# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts `balance` and `scaling` of the command `bench`: tables to read, data for the file."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from backend.model.config.presets import preset
from backend.parallel.assignment import POLICIES
from backend.parallel.cost_model import COSTS, KINDS, CostModel
from backend.shared.terminal import say

from ..kernels.scene import scene_of, views_of
from .layers import LayerTime, errors, errors_on_other_objects, fit, time_layers
from .scale_model import (
    CARD,
    LINKS,
    WORTH_IT,
    Step,
    fastest,
    share_one_object,
    train,
    worth_it,
)
from .throughput import measure, measured_config
from .workload import Workload, max_over_mean

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

BALANCE_RANKS = 8
RESOLUTION = 96
"""Of the released sparse stage."""
PAPER_TOKENS = 400_000
"""Of the paper's largest objects, both streams."""
FLOAT32 = 4


def report_balance(captures: Sequence[Path | None]) -> dict[str, Any]:
    """Share each object between eight ranks by both policies; nothing is run.

    Costs are those of `cost_model.COSTS`. Tokens are the voxels within 3.5 of the hull of the masks
    and the patches that masks touch in views resized to 768 px.
    """
    found = {}
    say(f"\nOne object on {BALANCE_RANKS} ranks: latest rank over mean, MB received per layer")
    heads = "".join(f"{policy:>12}{'tokens':>8}{'MB':>8}" for policy in POLICIES)
    say(f"{'':<40}{'tokens':>9}{'blocks':>8}{heads}")
    for capture in captures:
        load = released_workload(capture)
        balance = found[load.name] = _balance(load)
        cells = "".join(
            f"{each['cost']:>12.3f}{each['tokens']:>8.3f}{each['received_megabytes']:>8.1f}"
            for each in (balance[policy] for policy in POLICIES)
        )
        say(f"{load.name:<40}{balance['tokens']:>9}{balance['blocks']:>8}{cells}")
    worst = {policy: max(each[policy]["cost"] for each in found.values()) for policy in POLICIES}
    say("worst: " + ", ".join(f"{policy} {cost:.3f}" for policy, cost in worst.items()))
    return {"balance": {"ranks": BALANCE_RANKS, "worst": worst, "objects": found}}


def report_scaling(captures: Sequence[Path | None]) -> dict[str, Any]:
    """Time layers on one device, fit the cost model, and compute what 1 to 1,024 GPUs would do."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    times = []
    for layer in time_layers([views_of(capture) for capture in captures], device):
        times.append(layer)
        say(
            f"{layer.name:<40}{layer.resolution:>4}^3{layer.width:>6} wide, 1 of {layer.thinning} "
            f"blocks{layer.tokens:>8} tokens{layer.seconds:>8.3f} s"
        )
    model = fit(times)
    report = {"layers": [asdict(each) for each in times], "cost_model": _judged(model, times)}
    return report | {"computed": _computed(captures[0], model, device)}


def report_throughput(capture: Path | None, processes: int) -> dict[str, Any]:
    """Time one object on several processes of this machine, and on one."""
    found = measure(*views_of(capture), processes, measured_config())
    say(f"\nSparse stage of {found.tokens} tokens, one thread per process")
    for name, times in (("1 process", found.alone), (f"{processes} processes", found.shared)):
        say(f"{name:<14}" + " ".join(f"{seconds:8.2f}" for seconds in times) + " s")
    say(
        f"{found.speedup:.2f} times as fast (medians; at least {found.slowest_speedup:.2f}; "
        f"{found.cpu_speedup:.2f} in time computed); voxels differ by {found.difference:.1e}"
    )
    names = "speedup", "slowest_speedup", "cpu_speedup"
    speedups = {name: getattr(found, name) for name in names}
    return {"throughput": {"processes": processes, **asdict(found), **speedups}}


def released_workload(capture: Path | None) -> Workload:
    """The layers of the released sparse stage on an object at full size."""
    config = preset("lsrm-rgb").sparse.transformer
    return Workload.of(scene_of(*views_of(capture), RESOLUTION), config)


def _balance(load: Workload) -> dict[str, Any]:
    found: dict[str, Any] = {
        "tokens": load.count,
        "blocks": sum(map(len, load.tokens)),
    }
    for policy in POLICIES:
        shares = load.shared(COSTS, [1.0] * BALANCE_RANKS, policy)
        found[policy] = {
            "cost": max_over_mean(shares.seconds),
            "one_sided_cost": max_over_mean(shares.one_sided_seconds),
            "tokens": max_over_mean(shares.tokens),
            "received_megabytes": shares.received(FLOAT32) / 1e6,
        }
    return found


def _judged(model: CostModel, times: list[LayerTime]) -> dict[str, Any]:
    """The fitted rates, with their errors on these layers and on objects left out of the fit."""
    found: dict[str, Any] = {
        "rates": dict(zip(KINDS, model.rates, strict=True)),
        "layer_seconds": model.layer,
        "errors": _summary(errors(model, times)),
    }
    say("\nCost model: " + ", ".join(f"{k} {rate:.2e} s" for k, rate in found["rates"].items()))
    say(f"Its error on {len(times)} layers: {found['errors']}")
    if len({each.name for each in times}) > 1:
        found["errors_on_other_objects"] = _summary(errors_on_other_objects(times))
        say(f"On objects that it was not fitted to: {found['errors_on_other_objects']}")
    return found


def _summary(relative: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, float]:
    size = np.abs(relative)
    return {"mean": round(float(size.mean()), 3), "largest": round(float(size.max()), 3)}


def _computed(capture: Path | None, measured: CostModel, device: torch.device) -> dict[str, Any]:
    """The scale model for the device measured here, and for a card by its data sheet."""
    stage = preset("lsrm-rgb").sparse
    load = released_workload(capture)
    load = load.repeated(max(1, round(PAPER_TOKENS / load.count)))
    found: dict[str, Any] = {
        "note": "computed, not measured on several GPUs",
        "object": f"{load.name}, {load.count} tokens",
        "links": asdict(LINKS),
        "card": asdict(CARD),
    }
    say(f"\nCOMPUTED, not measured on several GPUs: lsrm-rgb in bfloat16, {found['object']}")
    models = {f"times measured here ({device.type})": measured}
    if device.type == "cpu":
        models["an H100 by its data sheet"] = CARD
    for name, model in models.items():
        ways = {
            "all GPUs share one object": share_one_object(load, model, stage),
            "nodes of 8 train on 8 objects": train(load, model, stage),
        }
        found[name] = {way: _table(f"{name}: {way}", steps) for way, steps in ways.items()}
    return found


def _table(title: str, steps: list[Step]) -> dict[str, Any]:
    say(f"\n{title}")
    say(f"{'GPUs':>6}{'compute s':>11}{'traffic s':>11}{'hidden':>11}{'GB in':>9}{'GB held':>9}")
    for step in steps:
        say(
            f"{step.gpus:>6}{step.compute_seconds:>11.4f}{step.traffic_seconds:>11.4f}"
            f"{step.seconds:>11.4f}{step.received_gigabytes:>9.2f}{step.memory_gigabytes:>9.1f}"
            f"{step.efficiency(steps[0]):>6.0%}"
        )
    most, best = worth_it(steps), fastest(steps)
    say(f"At least {WORTH_IT:.0%} of each GPU is used up to {most}; no faster beyond {best}.")
    rows = [asdict(step) | {"efficiency": step.efficiency(steps[0])} for step in steps]
    return {"steps": rows, "pays_up_to": most, "fastest_with": best}
