# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Views in a scene: behind a camera lies its photograph, turned as EXIF says."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from backend.shared.cameras import look_at


def _background(folder):
    """The pixels behind the first camera of a capture, [height, width, 3], row 0 on top."""
    from pathlib import Path

    from lsrm.backend.shared.capture.reader import read_capture
    from lsrm.lsrm_blender.scene.import_views import camera_of
    from lsrm.lsrm_blender.scene.pixels import image_pixels

    frame = read_capture(Path(folder)).frames[0]
    camera = camera_of(frame, frame.camera_to_world[:3, 3])
    (background,) = camera.data.background_images
    return image_pixels(background.image)[..., :3].tolist()


@pytest.mark.parametrize("orientation", [1, 6, 7])
def test_photographs_are_turned(in_blender, tmp_path, orientation):
    """The upright picture is shown, whatever the stored one is."""
    upright = np.random.default_rng(0).integers(0, 256, (9, 6, 3)).astype(np.uint8)
    stored = {1: upright, 6: np.rot90(upright), 7: upright[::-1, ::-1].swapaxes(0, 1)}[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / "a.png", exif=exif)
    pose = look_at((0.0, -4.0, 1.0), (0.0, 0.0, 0.0)).tolist()
    frame = {"file_path": "a.png", "w": 6, "h": 9, "fl_x": 9, "transform_matrix": pose}
    (tmp_path / "transforms.json").write_text(json.dumps({"frames": [frame]}))
    shown = np.array(in_blender(_background, folder=tmp_path))
    assert shown * 255 == pytest.approx(upright, abs=0.6)
