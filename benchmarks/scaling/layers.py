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

from backend.model.config.presets import preset
from backend.model.routing.routes import Plan, PlannedRoute, Routes
from backend.model.routing.tokens import Stream
from backend.model.transformer import Block
from backend.parallel.cost_model import CostModel

from ..kernels.scene import DIRECTIONS, Scene, now, scene_of
from .workload import Workload

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from backend.model.config.model_config import TransformerConfig
    from backend.views.views import Views
    from kernels.core.routing_plan import RoutingPlan

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
                    config = layer_config(width)
                    load = Workload.of(scene, config)
                    work = tuple(torch.cat(load.work).sum(0).tolist())
                    seconds = _time(scene, config)
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


def layer_config(width: int) -> TransformerConfig:
    """The released sparse layers at another width, with heads of the same width."""
    config = preset("lsrm-rgb").sparse.transformer
    heads = width // config.head_width
    return replace(config, width=width, query_heads=heads, weight_norm=False, fuse_dense=False)


def plan_of(scene: Scene) -> Plan:
    """The plan of a routed object."""
    own = scene.plans["volume_to_volume"], scene.plans["image_to_image"]
    volume, image = (Stream(plan.query_offsets, plan.blocks, plan.order) for plan in own)
    routes = {each: PlannedRoute(scene.plans[each]) for each in DIRECTIONS}
    return Plan(volume, image, Routes(**routes))


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
def _time(scene: Scene, config: TransformerConfig, repeats: int = 2) -> float:
    torch.manual_seed(0)
    torch.set_num_threads(1)  # else CPU time is that of all of them
    block, plan = Block(config, two_sided=True).eval(), plan_of(scene)
    device = plan.volume.offsets.device
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    for each in scene.plans.values():
        each.selected  # noqa: B018 - made once per object, so not on the clock
    sizes = (int(stream.offsets[-1]) for stream in (plan.volume, plan.image))
    streams = [torch.randn(size, config.width).to(device, dtype) for size in sizes]
    block.to(device, dtype)
    best = float("inf")
    for _ in range(repeats):
        begin = _clock(device)
        block(*streams, plan)
        best = min(best, _clock(device) - begin)
    return best


def _clock(device: torch.device) -> float:
    """Seconds; on a CPU those that this process computed, to which a busy machine adds little."""
    return time.process_time() if device.type == "cpu" else now(device)
