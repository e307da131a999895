# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The data set of made objects: millions of them, from a seed, without a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.utils.data import Dataset

from ...shared.radiance_hdr import read_hdr
from ..datasets.sample import Sample
from .cameras import random_cameras
from .light_recipes import random_light
from .rendering import Scene, render
from .shapes.recipes import random_shape

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class SyntheticSettings:
    """What the samples are like.

    Attributes:
        views: of every object.
        size: of the square images, in pixels.
        objects: the number of samples.
        seed: of all of them: objects of different seeds have nothing in common.
        panoramas: HDR images (.hdr) that light half of the objects; all light is made otherwise.
        device: to render on. Devices differ in the last bits.
    """

    views: int = 8
    size: int = 128
    objects: int = 1_000_000
    seed: int = 0
    panoramas: tuple[Path, ...] = ()
    device: str = "cpu"


class SyntheticDataset(Dataset[Sample]):
    """Made objects with their views and all that is true of them.

    Shape, material, light and cameras have random numbers of their own, so that an object is the
    same one in other views and sizes.

    Args:
        settings: what the samples are like.

    Raises:
        BadImage: if a panorama cannot be read.
    """

    def __init__(self, settings: SyntheticSettings) -> None:
        self.settings = settings
        self._panoramas = [read_hdr(path).astype(np.float64) for path in settings.panoramas]

    def __len__(self) -> int:
        """The number of samples."""
        return self.settings.objects

    @torch.no_grad()
    def __getitem__(self, index: int) -> Sample:
        """Make and render one object."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        return render(self.scene(index), f"synthetic-{self.settings.seed}-{index}")

    def scene(self, index: int) -> Scene:
        """One object with its light and cameras, before it is rendered."""
        settings, device = self.settings, torch.device(self.settings.device)
        of_shape, of_light, of_cameras = (
            np.random.default_rng((settings.seed, index, number)) for number in range(3)
        )
        return Scene(
            random_shape(of_shape, device),
            random_light(of_light, device, self._panoramas),
            random_cameras(of_cameras, settings.views, settings.size),
            float(of_light.random()),
        )
