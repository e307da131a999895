# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenes in the release's "rig" layout as samples: images, masks and cameras, no targets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.utils.data import Dataset

from ...model.release.rig import rig_views
from ...shared.errors import BadDataset
from .sample import Sample

if TYPE_CHECKING:
    from pathlib import Path

DESCRIPTION = "images/CameraRig.json"


class RigDataset(Dataset[Sample]):
    """The scenes of a folder, sorted by name.

    Args:
        folder: in which each scene has a folder.

    Raises:
        BadDataset: if no folder in it is a scene.
    """

    def __init__(self, folder: Path) -> None:
        scenes = (each for each in folder.glob("*") if (each / DESCRIPTION).is_file())
        self._scenes = sorted(scenes, key=lambda scene: scene.name)
        if not self._scenes:
            raise BadDataset(
                f"No folder in {folder} has {DESCRIPTION}.", "Give the folder of all scenes."
            )

    def __len__(self) -> int:
        """The number of scenes."""
        return len(self._scenes)

    def __getitem__(self, index: int) -> Sample:
        """Read one scene.

        Raises:
            BadDataset, BadCapture, BadImage: if it is damaged.
        """
        scene = self._scenes[index]
        views = rig_views(scene)
        sizes = {view.mask.shape[:2] for view in views}
        if len(sizes) != 1:
            raise BadDataset(
                f"The views of {scene} have {len(sizes)} sizes.", "Render them at one size."
            )
        images = np.stack([view.image for view in views]).transpose(0, 3, 1, 2)
        lenses = [(lens.fx, lens.fy, lens.cx, lens.cy) for lens in (v.intrinsics for v in views)]
        return Sample(
            scene.name,
            images=torch.from_numpy(np.ascontiguousarray(images)),
            masks=torch.from_numpy(np.stack([view.mask for view in views])),
            camera_to_world=torch.from_numpy(np.stack([v.camera_to_world for v in views])).float(),
            intrinsics=torch.tensor(lenses),
        )
