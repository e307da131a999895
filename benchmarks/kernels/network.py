# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Both stages of the network at full size, through the pipeline, with random weights.

Random weights predict no surface. So the decoder of the dense stage is replaced by the visual hull
of the views; all else is what a checkpoint runs, except the frozen image features.
"""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from backend.field.decoders import Decoder
from backend.job import Job
from backend.model.config.presets import preset
from backend.model.stage import Stage
from backend.model.weights.checkpoint import Checkpoint, StageName
from backend.pipeline import normalize_scene, predict
from backend.request import ReconstructRequest
from backend.result.report import Report
from backend.shared.progress import Progress
from backend.views.visual_hull import VisualHull
from kernels.core.dispatch import forced
from kernels.core.plan_statistics import statistics

if TYPE_CHECKING:
    from collections.abc import Callable

    from backend.model.config.model_config import ModelConfig, StageConfig
    from backend.model.routing.routes import Plan
    from backend.shared.cameras import Normalization
    from backend.views.views import Views

FUSED = [SDPBackend.FLASH_ATTENTION, SDPBackend.CUDNN_ATTENTION, SDPBackend.EFFICIENT_ATTENTION]
_SELF = ("volume_to_volume", "image_to_image")
_OF_VOLUME = ("volume_to_volume", "volume_to_image")
_OF_IMAGE = ("image_to_image", "image_to_volume")


@dataclass(frozen=True)
class StageCost:
    """Time, memory and work of one stage of the pipeline.

    Attributes:
        seconds: of the stage.
        peak_gigabytes: allocated on the GPU; None without one.
        product_tflop: of matrix products and fused attention as torch counts them.
    """

    seconds: float
    peak_gigabytes: float | None
    product_tflop: float


def run_network(views: Views, config: ModelConfig, device: torch.device) -> dict[str, Any]:
    """Run the pipeline's prediction twice, to warm up and count, then to time.

    On a GPU only Triton kernels may run: a reference implementation is an error.
    """
    weights = RandomWeights(Path(), config, _hull(views, device))
    implementation = "triton" if device.type == "cuda" else "auto"
    meters = []
    for counting in (True, False):
        report = Report({}, str(device), {"name": "random weights"})
        with (
            closing(Meter(device, counting=counting)) as meter,
            forced(implementation),
            sdpa_kernel([*FUSED, *_slow_where(device)]),
        ):
            meters.append(meter)
            request = ReconstructRequest(Path(), Path(), checkpoint="random weights")
            job = Job(request, views, normalize_scene(views), None, report, Progress(meter))
            predict(job, weights)
    counted, timed = meters
    stages = {
        name: replace(cost, product_tflop=counted.costs[name].product_tflop)
        for name, cost in timed.costs.items()
    }
    return {
        "tokens": report.counts,
        "stages": {name: asdict(cost) for name, cost in stages.items()},
        "seconds": sum(cost.seconds for cost in stages.values()),
        "peak_gigabytes": max(cost.peak_gigabytes or 0 for cost in stages.values()) or None,
        "exponentials": weights.exponentials(),
    }


def full_size(volume_dilation: int) -> ModelConfig:
    """The released configuration for 16 views, without the frozen image features.

    Args:
        volume_dilation: tokens around the surface, which decides how many there are.
    """
    config = preset("lsrm-rgb")
    return replace(
        config,
        relative_pose=False,
        image_features="none",
        dense=_plain(config.dense),
        sparse=_plain(config.sparse),
        selection=replace(config.selection, volume_dilation=volume_dilation),
    )


def small_size() -> ModelConfig:
    """The preset `tiny`, with which the same runs on a CPU."""
    config = preset("tiny")
    return replace(
        config, relative_pose=False, dense=_plain(config.dense), sparse=_plain(config.sparse)
    )


class KnownShape(nn.Module, Decoder):
    """A decoder whose signed distance does not depend on the feature."""

    def __init__(self, distance: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.distance = distance

    def signed_distance(self, _: Tensor, points: Tensor) -> Tensor:
        """[points, 3] to [points]."""
        return self.distance(points)

    def appearance(self, feature: Tensor) -> Tensor:
        """Some color."""
        return torch.sigmoid(feature[:, :3])


@dataclass(frozen=True)
class RandomWeights(Checkpoint):
    """A checkpoint whose weights are drawn when it is loaded.

    Attributes:
        shape: signed distance to the surface that the dense stage finds.
        plans: of the sparse stages that ran, as they ran.
    """

    shape: Callable[[Tensor], Tensor]
    plans: list[Plan] = field(default_factory=list)

    def load_stage(
        self,
        name: StageName,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> Stage:
        """A stage of that name; the dense one decodes to the known shape."""
        torch.manual_seed(0)
        with torch.device(device):
            stage = Stage(self.stage_config(name)).to(dtype)
        if name == "dense":
            stage.add_module("decoder", KnownShape(self.shape))
        else:
            stage.transformer.register_forward_hook(self._remember)
        return stage.eval().requires_grad_(requires_grad=False)

    def fingerprint(self) -> str:
        """None: there is no content."""
        return "random"

    def exponentials(self) -> int:
        """Exponentials of all attention of the sparse stage: one per query head, query and key."""
        routes, config, pairs = self.plans[-1].routes, self.config.sparse.transformer, 0
        both = config.depth + len(config.skip_links)
        for names, layers in ((_OF_VOLUME, both), (_OF_IMAGE, config.depth)):
            for name in names:
                plan = getattr(routes, name).plan
                tiles = [*plan.selected, plan.compressed]
                tiles += [plan.window] if name in _SELF else []
                pairs += layers * sum(statistics(each).pairs for each in tiles)
        return pairs * config.query_heads

    def _remember(self, _module: nn.Module, given: tuple[Any, ...], _found: object) -> None:
        self.plans.append(given[2])


class Meter:
    """Receives the progress of the pipeline and measures each stage from first to last report."""

    def __init__(self, device: torch.device, *, counting: bool) -> None:
        self.costs: dict[str, StageCost] = {}
        self._device, self._counting = device, counting
        self._stage, self._begin = "", 0.0
        self._counter: FlopCounterMode | None = None

    def __call__(self, stage: str, fraction: float, message: str) -> None:
        """A new name begins a stage; each report of a finished one replaces the one before."""
        if stage != self._stage and not message:  # a report with a message comes before the stage
            self._start(stage)
        elif fraction == 1:
            self.costs[stage] = self._cost()

    def close(self) -> None:
        """End the count of the last stage."""
        if self._counter:
            self._counter.__exit__(None, None, None)
        self._counter = None

    def _start(self, stage: str) -> None:
        self.close()
        self._stage = stage
        if self._counting:
            self._counter = FlopCounterMode(display=False)
            self._counter.__enter__()
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
            torch.cuda.reset_peak_memory_stats(self._device)
        self._begin = time.perf_counter()

    def _cost(self) -> StageCost:
        peak = None
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
            peak = torch.cuda.max_memory_allocated(self._device) / 1e9
        seconds = time.perf_counter() - self._begin
        flops = self._counter.get_total_flops() if self._counter else 0
        return StageCost(seconds, peak, flops / 1e12)


def _plain(stage: StageConfig) -> StageConfig:
    """Without image features, and with weight norms folded as a converted checkpoint has them."""
    encoder = replace(stage.encoder, feature_width=0)
    return replace(
        stage, encoder=encoder, transformer=replace(stage.transformer, weight_norm=False)
    )


def _hull(views: Views, device: torch.device) -> Callable[[Tensor], Tensor]:
    normalization: Normalization = normalize_scene(views)
    return VisualHull.from_views(views.views, normalization, device).signed_distance


def _slow_where(device: torch.device) -> list[SDPBackend]:
    return [] if device.type == "cuda" else [SDPBackend.MATH]
