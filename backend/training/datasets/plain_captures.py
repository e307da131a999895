# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Capture folders of which nothing is known but the views: checked and normalized as in a job."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.utils.data import Dataset

from ...shared.cameras import Normalization
from ...shared.capture.reader import read_capture
from ...views.views import load_views
from ...views.visual_hull import estimate_bounding_sphere
from .sample import Sample

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ...views.views import View


class PlainCaptures(Dataset[Sample]):
    """Objects of which there are images and masks.

    Args:
        folders: captures, an object each.
        size: pixels to which the longest side of views is averaged down.
    """

    def __init__(self, folders: Sequence[Path], size: int) -> None:
        self._folders, self._size = list(folders), size
        self._read: dict[int, Sample] = {}

    def __len__(self) -> int:
        """The number of captures."""
        return len(self._folders)

    def __getitem__(self, index: int) -> Sample:
        """The sample of a capture, which is read once.

        Raises:
            LsrmError: if it cannot be used, as in a job.
        """
        if index not in self._read:
            folder = self._folders[index]
            views = load_views(read_capture(folder), max_size=self._size)
            sphere = views.bounding_sphere or estimate_bounding_sphere(views.views)
            normalization = Normalization.from_sphere(sphere.center, sphere.radius)
            self._read[index] = sample_of_views(folder.name, views.views, normalization)
        return self._read[index]


def sample_of_views(name: str, views: Sequence[View], normalization: Normalization) -> Sample:
    """Views of one size as a sample.

    Args:
        name: of the object.
        views: of one size.
        normalization: moves the object into the sphere of radius 0.5.
    """
    images = np.stack([view.image.transpose(2, 0, 1) for view in views])
    poses = np.stack([normalization.apply_to_pose(view.camera_to_world) for view in views])
    lenses = [(v.intrinsics.fx, v.intrinsics.fy, v.intrinsics.cx, v.intrinsics.cy) for v in views]
    return Sample(
        name,
        torch.from_numpy(images).float(),
        torch.from_numpy(np.stack([view.mask for view in views])).float(),
        torch.from_numpy(poses).float(),
        torch.tensor(lenses),
    )
