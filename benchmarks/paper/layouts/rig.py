# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The layout "rig" of the release, in which the paper's renders of GSO objects are.

Each object has a folder with `images/CameraRig.json`, which `backend/model/release/rig.py` reads.
As in the release, views 0 to 15 in the order of their names are inputs and views 16 to 27 targets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image

from backend.model.release.captures import as_bytes
from backend.model.release.rig import rig_views
from backend.shared.capture.capture import Frame
from backend.shared.errors import BadCapture

from .scene import Scene, Target

if TYPE_CHECKING:
    from pathlib import Path

    from backend.model.preprocess import SourceView

INPUTS, TARGETS = 16, 12


def read_scene(folder: Path, scratch: Path) -> Scene:
    """An object; its views are written to the scratch folder at the mean exposure of the scene.

    Raises:
        BadCapture: if a description is missing or lacks a value, or there are too few views.
        BadImage: if an image or mask is missing or broken.
    """
    views = rig_views(folder)
    if len(views) < INPUTS + TARGETS:
        raise BadCapture(
            f"{folder} has {len(views)} views; the protocol takes {INPUTS} and judges {TARGETS}.",
            "Render the missing views, or remove the folder.",
        )
    frames = [_write(view, f"{index:04d}", scratch) for index, view in enumerate(views)]
    targets = frames[INPUTS : INPUTS + TARGETS]
    return Scene(tuple(frames[:INPUTS]), tuple(Target(frame) for frame in targets))


def _write(view: SourceView, name: str, folder: Path) -> Frame:
    """Store the image and the mask of a view."""
    image, mask = folder / "images" / f"{name}.png", folder / "masks" / f"{name}.png"
    for path, values in ((image, view.image), (mask, view.mask)):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(as_bytes(values)).save(path)
    return Frame(name, image, mask, view.intrinsics, view.camera_to_world)
