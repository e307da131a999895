# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The memory of a job on its device, also of one whose views are still to be taken."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from .mesh.network_surface import SurfaceSettings
from .model.weights.checkpoint import open_checkpoint
from .model.weights.dinov3_files import loaded_size
from .model.weights.memory import plan_memory
from .refine.config import RefineConfig
from .setup.device import choose_devices, dtype_on, free_per_rank
from .shared.cameras import Intrinsics
from .shared.capture.capture import Frame
from .shared.checkpoint_folders import find_dinov3
from .shared.machine.system_memory import total_memory
from .surface_memory import plan_surface
from .views.selection import size_in_memory
from .views.views import View

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from .model.config.model_config import ModelConfig
    from .model.weights.memory import MemoryNeed
    from .request import ReconstructRequest

COVERED = 0.4
"""Share of a view that its object covers, at least in the usual case."""


@dataclass(frozen=True)
class PlannedMemory:
    """What a job needs of its first device, and what that has, in bytes.

    Attributes:
        device: as PyTorch names it.
        card: its model; empty for a processor.
        total: of the device; None where the system does not say.
        free: what a job may allocate; None where the system does not say.
        needed: at the peak of the job; None where that is not planned, which is on a processor
            without a network.
    """

    device: str
    card: str
    total: int | None
    free: int | None
    needed: int | None


def plan_job(request: ReconstructRequest, count: int, size: int) -> PlannedMemory:
    """Plan a job whose views are still to be taken.

    The object is a ball that covers as much of the views as small ones do: what is refused here
    would not fit. With the masks the job is planned again.

    Args:
        request: of the job; its folders are not looked at.
        count: of the views.
        size: of the square views, in pixels.

    Raises:
        OutOfMemory: if a device has not enough free.
        DeviceUnavailable: if this computer lacks one.
        CheckpointMissing, CheckpointMismatch: if the weights cannot be used.
    """
    request, devices = request.settled(), choose_devices(request.device)
    device, available = devices[0], free_per_rank(devices)
    names, needs = [str(each) for each in devices], []
    if request.uses_network:
        config = open_checkpoint(request.checkpoint).config
        side = config.sparse.image_size
        masks = torch.from_numpy(_disk(side)).expand(count, 1, side, side)
        features = find_dinov3() if config.image_features == "dinov3" else None
        needs.append(network_need(config, masks, devices, features))
        needs[-1].check(available, names)
    if device.type != "cpu":
        needs.append(surface_need(_views(count, size), request))
        needs[-1].check(available[:1], names[:1])
    card = torch.cuda.get_device_properties(device) if device.type == "cuda" else None
    return PlannedMemory(
        names[0],
        card.name if card else "",
        card.total_memory if card else total_memory(),
        None if available[0] == sys.maxsize else available[0],
        max((need.peak for need in needs), default=None),
    )


def network_need(
    config: ModelConfig, masks: Tensor, devices: Sequence[torch.device], features: Path | None
) -> MemoryNeed:
    """What the stages of the network need.

    Args:
        config: of the checkpoint.
        masks: [views, 1, side, side], coverage in 0..1, at the size of the sparse stage.
        devices: one for each rank.
        features: the weights of the image features, if the checkpoint needs them.
    """
    dtype = dtype_on(devices[0])
    loaded = loaded_size(features, dtype) if features else 0
    return plan_memory(config, masks, dtype, loaded, free_per_rank(devices))


def surface_need(views: Sequence[View], request: ReconstructRequest) -> MemoryNeed:
    """What the stages around the network need.

    Args:
        views: in the size that they have in memory.
        request: of the job, its checkpoint settled.
    """
    cells = SurfaceSettings.cells if request.uses_network else 0
    return plan_surface(views, request, RefineConfig(), cells)


def _views(count: int, size: int) -> list[View]:
    """Square views of a ball, in the size that they have in memory."""
    center = size / 2
    intrinsics = Intrinsics(size, size, float(size), float(size), center, center)
    frame = Frame("planned", Path(), None, intrinsics, np.eye(4))
    side = min(size, size_in_memory([frame] * count))
    image = np.broadcast_to(np.float32(1.0), (side, side, 3))
    return [View(frame.name, image, _disk(side), intrinsics, np.eye(4), frame)] * count


def _disk(side: int) -> NDArray[np.float32]:
    """A mask [side, side] of a circle in its middle."""
    steps = (np.arange(side, dtype=np.float32) + 0.5) / side - 0.5
    inside = np.hypot(*np.meshgrid(steps, steps)) <= math.sqrt(COVERED / math.pi)
    return inside.astype(np.float32)
