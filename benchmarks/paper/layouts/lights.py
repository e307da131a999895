# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Environment maps of data sets, turned into the world of the views and Blender's mapping."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from backend.materials.environment_map import pixel_directions
from backend.shared.errors import BadImage
from backend.shared.radiance_hdr import read_hdr, sample_panorama, write_hdr
from backend.views.exr_file import read_exr
from backend.views.image_files import MAX_PIXELS

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from backend.shared.cameras import Floats

SUFFIXES = (".exr", ".hdr")


def find_panorama(folder: Path, name: str) -> Path:
    """The environment map with a name, OpenEXR or Radiance.

    Raises:
        BadImage: if there is none.
    """
    found = next((p for p in (folder / (name + s) for s in SUFFIXES) if p.is_file()), None)
    if found is None:
        raise BadImage(
            f"{folder} has no environment map {name}.exr or {name}.hdr.",
            "Download the object again.",
        )
    return found


def write_turned(panorama: Path, to_world: Floats, path: Path) -> Path:
    """Write an environment map as it is in the world of the views.

    Args:
        panorama: equirectangular, in Blender's mapping over axes of its own.
        to_world: [3, 3], the rotation from those axes to the world.
        path: of the Radiance picture.

    Raises:
        BadImage: if the panorama is damaged or not twice as wide as it is high.
    """
    light = _read(panorama)
    height, width = light.shape[:2]
    if width != 2 * height:
        raise BadImage(
            f"The environment map {panorama} is {width} x {height} pixels.",
            "An equirectangular one is twice as wide as it is high.",
        )
    directions, _ = pixel_directions(height, width)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_hdr(path, sample_panorama(light, directions @ to_world))
    return path


def _read(path: Path) -> NDArray[Any]:
    if path.suffix == ".exr":
        return read_exr(path, MAX_PIXELS)[0]
    try:
        return read_hdr(path)
    except ValueError as error:
        raise BadImage(f"The file {path} is damaged ({error}).", "Download it again.") from error
