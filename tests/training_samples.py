# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A painted ball as a sample for training, with everything known of it; and a tiny training."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch.nn import functional as F
from torch.utils.data import Dataset

from backend.shared.cameras import (
    Intrinsics,
    fibonacci_sphere,
    intrinsics_from_fov,
    look_at,
    pixel_rays,
)
from backend.shared.srgb import linear_to_srgb
from backend.training.datasets.sample import Sample
from backend.training.settings.config import PhaseConfig, TrainingConfig, ViewConfig
from backend.training.settings.schedule import InverseStd, LearningRate

RADIUS = 0.4
CENTER = (0.03, -0.02, 0.04)
DISTANCE = 1.6
FIELD_OF_VIEW = math.radians(40.0)

SIZES = {"width": 16, "query_heads": 4, "key_value_heads": 2, "skip_links": [0], "upsample": 2}


def tiny_model(**changes) -> dict:
    """The table of a model whose stages take milliseconds."""
    encoder = {"width": 16}
    model = {
        "preset": "tiny",
        "dense": {
            "image_size": 16,
            "samples_per_ray": 16,
            "encoder": encoder,
            "transformer": {**SIZES, "volume_resolution": 2, "depth": 1},
        },
        "sparse": {
            "image_size": 32,
            "samples_per_ray": 24,
            "encoder": encoder,
            "transformer": {**SIZES, "volume_resolution": 4, "depth": 1},
        },
        "selection": {"block_size": 2},
        "routing": {"volume_blocks": 2, "image_blocks_per_view": 1, "views": 3},
    }
    return {**model, **changes}


TINY_VIEWS = ViewConfig(inputs=(2, 3), targets=2, sizes=(16, 20), crop=12)
DENSE = PhaseConfig(
    "dense",
    "dense",
    steps=4,
    views=TINY_VIEWS,
    rate=LearningRate(peak=1e-3, warm_up=1),
    inverse_std=InverseStd(20, 20, 40),
    precision="float32",
)
SPARSE = replace(DENSE, name="sparse", stage="sparse", start="dense", coarse="dense", occupancy=16)


def tiny_training(*phases: PhaseConfig, **changes) -> TrainingConfig:
    """A training of some phases on balls."""
    return TrainingConfig("tiny", phases or (DENSE,), **{"model": tiny_model(), **changes})


class Balls(Dataset[Sample]):
    """Balls of several colors."""

    def __init__(self, count: int = 4, size: int = 24, views: int = 6) -> None:
        self._count, self._size, self._views = count, size, views

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < self._count:
            raise IndexError(index)
        return ball(index, self._size, self._views)


def ball(seed: int = 0, size: int = 24, views: int = 6) -> Sample:
    """A ball painted with a smooth pattern, in front of gray, seen from all around."""
    lens = intrinsics_from_fov(size, size, FIELD_OF_VIEW)
    poses = [look_at(DISTANCE * eye, (0.0, 0.0, 0.0)) for eye in fibonacci_sphere(views)]
    parts = [_view(lens, pose, seed) for pose in poses]
    columns = {name: torch.stack([part[name] for part in parts]) for name in parts[0]}
    return Sample(
        f"ball {seed}",
        camera_to_world=torch.stack([torch.from_numpy(pose).float() for pose in poses]),
        intrinsics=torch.tensor([[lens.fx, lens.fy, lens.cx, lens.cy]] * views),
        **columns,
    )


def _view(lens: Intrinsics, pose, seed: int) -> dict[str, torch.Tensor]:
    origin, directions = (torch.from_numpy(each).float() for each in pixel_rays(lens, pose))
    offset = origin - torch.tensor(CENTER)
    a, b = directions.square().sum(-1), directions @ offset
    root = b * b - a * (offset @ offset - RADIUS**2)
    hit = root > 0
    depth = torch.where(hit, (-b - root.clamp(min=0).sqrt()) / a, 0.0)  # of rays of depth 1
    points = origin + depth[..., None] * directions
    normals = F.normalize(points - torch.tensor(CENTER), dim=-1) * hit[..., None]
    color = (0.5 + 0.4 * torch.sin(8 * points + torch.arange(3) + seed)) * hit[..., None]
    gray = torch.where(hit[..., None], torch.from_numpy(linear_to_srgb(color.numpy())), 0.4)
    return {
        "images": gray.permute(2, 0, 1),
        "masks": hit.float(),
        "depth": depth,
        "normals": normals.permute(2, 0, 1),
        "base_color": color.permute(2, 0, 1),
        "roughness": 0.6 * hit,
        "metallic": 0.2 * hit,
    }
