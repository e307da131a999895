# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The layout "real" of the release: photographs of an object, and others of it in other light.

What is expected of an object's folder:

- `transforms_input.json`: cameras of the inputs, as `backend/shared/capture/reader.py` reads them;
  images in `input/`, masks of the same names in `mask/`. A `scale` holds for all cameras alike, so
  that leaving it out changes no picture.
- `transforms_output.json`: cameras of the targets in the same world; the `file_path` of each is
  that of its true image, which has alpha, or a mask where masks are looked for.
- `env/`: for each target an environment map of the name of its image, OpenEXR or Radiance, in
  Blender's mapping over the axes of the target's camera (+x right, +y up, looking along -z), as the
  release uses them: it renders its mesh in the frame of the camera.

The release publishes only the first and the last; true images are those of the data sets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from backend.shared.capture.reader import read_capture

from .lights import find_panorama, write_turned
from .scene import Scene, Target

if TYPE_CHECKING:
    from pathlib import Path


def read_scene(folder: Path, scratch: Path) -> Scene:
    """An object; its lights are written to the scratch folder.

    Raises:
        BadCapture: if a description is missing or lacks a value.
        BadImage: if an image, a mask or an environment map is missing or damaged.
        LsrmError: as `read_capture` raises.
    """
    inputs = read_capture(folder / "transforms_input.json").frames
    targets = []
    for frame in read_capture(folder / "transforms_output.json").frames:
        panorama = find_panorama(folder / "env", frame.image_path.stem)
        to_world = frame.camera_to_world[:3, :3]
        light = write_turned(panorama, to_world, scratch / "lights" / f"{frame.name}.hdr")
        targets.append(Target(frame, str(light.absolute())))
    return Scene(inputs, tuple(targets))
