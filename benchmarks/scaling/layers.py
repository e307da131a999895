# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Layers of the sparse stage timed on one device, and the cost model fitted to the times."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.optimize import nnls

from backend.parallel.cost_model import CostModel

from ..kernels.layer import layer_config, random_layer
from ..kernels.scene import now, scene_of
from .workload import Workload

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from backend.views.views import Views
    from kernels.core.routing_plan import RoutingPlan

    from ..kernels.scene import Scene

RESOLUTIONS = {"cpu": (8, 16), "cuda": (48, 96)}
"""Voxels per side of the timed layers."""
WIDTHS, THINNINGS = (256, 512, 1024), (1, 4)
"""Their channels; of the selected blocks of each query the first n-th part is left."""


@dataclass(frozen=True)
class LayerTime:
    """A two-sided layer that was timed.

    Attributes:
        name: of the object.
        resolution: voxels per side.
        width: channels.
        thinning: of the selected blocks of each query only the first n-th part was left.
        tokens: of both streams.
        work: of all blocks, by kind.
        seconds: the best of some runs; on a CPU, those of one thread.
    """

    name: str
    resolution: int
    width: int
    thinning: int
    tokens: int
    work: tuple[float, ...]
    seconds: float


def time_layers(objects: Sequence[tuple[Views, str]], device: torch.device) -> Iterator[LayerTime]:
    """Time a two-sided layer with random weights, object by object, in all sizes."""
    for views, name in objects:
        for resolution in RESOLUTIONS[device.type]:
            whole = scene_of(views, name, resolution, device)
            for thinning in THINNINGS:
                scene = replace(whole, plans=_thinned(whole.plans, thinning))
                for width in WIDTHS:
                    load = Workload.of(scene, layer_config(width))
                    work = tuple(torch.cat(load.work).sum(0).tolist())
                    seconds = _time(scene, width)
                    yield LayerTime(name, resolution, width, thinning, load.count, work, seconds)


def fit(times: Sequence[LayerTime]) -> CostModel:
    """Rates that are not negative, by least squares of the relative errors."""
    work, seconds = _table(times)
    rates, _ = nnls(work / seconds[:, None], np.ones(len(seconds)))
    return CostModel(tuple(rates[:-1].tolist()), float(rates[-1]))


def errors(model: CostModel, times: Sequence[LayerTime]) -> NDArray[np.float64]:
    """Modelled over measured time, minus 1, of each layer."""
    work, seconds = _table(times)
    found: NDArray[np.float64] = work @ np.array([*model.rates, model.layer]) / seconds - 1
    return found


def errors_on_other_objects(times: Sequence[LayerTime]) -> NDArray[np.float64]:
    """The same for each object with the rates fitted to all others; needs two objects."""
    names = sorted({each.name for each in times})
    parts = [
        errors(
            fit([each for each in times if each.name != name]),
            [each for each in times if each.name == name],
        )
        for name in names
    ]
    return np.concatenate(parts)


def _table(times: Sequence[LayerTime]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The work of each layer with a 1 for its constant, and the seconds."""
    return np.array([[*each.work, 1.0] for each in times]), np.array([t.seconds for t in times])


def _thinned(plans: dict[str, RoutingPlan], part: int) -> dict[str, RoutingPlan]:
    """Plans in which each query keeps the first n-th part of its selected blocks.

    Of tables in ascending order, in which neighboring queries still select nearly the same.
    """

    def first(table: Tensor | None) -> Tensor | None:
        return None if table is None else table[:, :, : -(-table.shape[2] // part)]

    return {name: replace(plan, table=first(plan.table)) for name, plan in plans.items()}


@torch.no_grad()
def _time(scene: Scene, width: int, repeats: int = 2) -> float:
    torch.set_num_threads(1)  # else CPU time is that of all of them
    block, streams, plan = random_layer(scene, width)
    device = streams[0].device
    for each in scene.plans.values():
        each.selected  # noqa: B018 - made once per object, so not on the clock
    best = float("inf")
    for _ in range(repeats):
        begin = _clock(device)
        block(*streams, plan)
        best = min(best, _clock(device) - begin)
    return best


def _clock(device: torch.device) -> float:
    """Seconds; on a CPU those that this process computed, to which a busy machine adds little."""
    return time.process_time() if device.type == "cpu" else now(device)
