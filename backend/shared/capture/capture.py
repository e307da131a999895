# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A capture folder in memory: frames, bounding sphere, light, and the names of its files."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from .json_files import CAPTURE_JSON, read_capture_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..cameras import Floats, Intrinsics
    from ..lenses import Lens
    from .lamps import Lamp

TRANSFORMS_NAMES = ("transforms.json", "transforms_train.json", "transforms_input.json")
ENVIRONMENT_NAME = "environment.hdr"
WORLD_NAME = "world.hdr"
"""The environment without the lamps, where there are lamps; they stand in capture.json."""

REFERENCE_MESH = "reference_mesh.ply"
"""The true mesh of the object, in the folder of the test views and in their world."""

LONGEST_NAME = 100
"""Of an environment light, in bytes of UTF-8: it names folders and files."""

PASSES = ("base_color", "roughness", "metallic", "normal")
"""Materials and normals of the test views: folders with a 16-bit PNG for each view."""


@dataclass(frozen=True)
class MaskEdge:
    """What is changed at the edge of masks when they are read, in pixels of the image on disk.

    Attributes:
        erode: how far the outline moves inwards; 0 or above.
        feather: over how many pixels coverage rises across the outline; 0 is one, if it moves.
    """

    erode: int = 0
    feather: int = 0

    @property
    def is_unchanged(self) -> bool:
        """Whether masks stay as they are."""
        return not (self.erode or self.feather)


@dataclass(frozen=True)
class Frame:
    """One posed image on disk.

    Attributes:
        name: unique in the capture; can be a file name.
        image_path: in one of the formats of `image_header`.
        mask_path: the foreground coverage; None if it is the alpha of the image, or not known.
        intrinsics: of the pinhole camera of the view: for the size of the image, turned as the
            orientation says, or of the undistorted image where there is a lens.
        camera_to_world: [4, 4] float64, OpenGL camera axes.
        mask_inverted: whether the file of the mask is white on the surroundings of the object.
        orientation: EXIF's number of how the image is turned when it is read; 1 as stored.
        mask_orientation: likewise, of the mask.
        lens: of the image and the mask on disk, turned, if it distorts.
        mask_edge: what is changed at the edge of the mask when it is read.
    """

    name: str
    image_path: Path
    mask_path: Path | None
    intrinsics: Intrinsics
    camera_to_world: Floats
    mask_inverted: bool = False
    orientation: int = 1
    mask_orientation: int = 1
    lens: Lens | None = None
    mask_edge: MaskEdge = field(default_factory=MaskEdge)

    @property
    def intrinsics_on_disk(self) -> Intrinsics:
        """For the size of the image on disk, turned, without the distortion of its lens."""
        return self.lens.intrinsics if self.lens else self.intrinsics

    def with_image(self, path: Path) -> Frame:
        """The frame with another image, which is stored upright."""
        return replace(self, image_path=path, orientation=1)


@dataclass(frozen=True)
class BoundingSphere:
    """A sphere around the object, in the world of the capture.

    Attributes:
        center: (x, y, z).
        radius: above zero.
    """

    center: tuple[float, float, float]
    radius: float


@dataclass(frozen=True)
class Capture:
    """The contents of a capture folder; its images are not read yet.

    Attributes:
        folder: of transforms.json.
        frames: in the order of the file.
        bounding_sphere: of the object, if capture.json has it.
        environment: the environment light as an equirectangular .hdr, if there is one.
        lamps: that lit the views, too; their light depends on where a surface is, and a panorama
            seen from the center of the object is wrong for them. None if they are not described.
        warnings: for the user.
    """

    folder: Path
    frames: tuple[Frame, ...]
    bounding_sphere: BoundingSphere | None
    environment: Path | None
    lamps: tuple[Lamp, ...] | None
    warnings: tuple[str, ...]

    def with_mask_edge(self, edge: MaskEdge) -> Capture:
        """The capture, whose masks are read with another edge."""
        return replace(self, frames=tuple(replace(each, mask_edge=edge) for each in self.frames))

    @property
    def is_own(self) -> bool:
        """Whether LSRM wrote it: its world is then +z up."""
        return (self.folder / CAPTURE_JSON).is_file()

    @property
    def known_light(self) -> Path | None:
        """The environment without lamps, if it and the lamps are all the light there is."""
        if self.lamps is None:
            return None
        if not self.lamps:
            return self.environment
        world = self.folder / WORLD_NAME
        return world if world.is_file() else None


def environment_name(source: str) -> str:
    """The file or name of an environment light, shortened so that it can name a folder."""
    name = "".join(letter if letter.isalnum() else "_" for letter in Path(source).stem)
    if len(name.encode()) <= LONGEST_NAME:
        return name
    return f"{name[: LONGEST_NAME // 4]}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def environment_names(sources: Sequence[str]) -> list[str]:
    """Names of environment lights that differ, in any case, where the sources differ.

    Equal ones get the folders of their files in front if these differ, else a number behind.
    """
    groups: dict[str, list[str]] = {}
    for source in dict.fromkeys(sources):
        groups.setdefault(environment_name(source).casefold(), []).append(source)
    names: dict[str, str] = {}
    for group in groups.values():
        short = [environment_name(source) for source in group]
        folders = [environment_name(Path(source).parent.name) for source in group]
        differ = len({folder.casefold() for folder in folders}) == len(group)
        if len(group) > 1 and differ and all(folders):
            short = [f"{folder}_{name}" for folder, name in zip(folders, short, strict=True)]
        names |= dict(zip(group, short, strict=True))
    return [_numbered(names)[source] for source in sources]


def _numbered(names: dict[str, str]) -> dict[str, str]:
    """Names with a number behind those that an earlier one has, in any case."""
    used: set[str] = set()
    numbered = {}
    for source, name in names.items():
        unique, number = name, 1
        while unique.casefold() in used:
            number += 1
            unique = f"{name}_{number}"
        used.add(unique.casefold())
        numbered[source] = unique
    return numbered


def relit_folder(test: Path, source: str) -> Path:
    """The images of the test views under another environment light.

    Args:
        test: the folder of the test views.
        source: the file or name of the environment light.
    """
    names = read_capture_json(test.parent).get("relit", {})
    if isinstance(names, dict):
        for name, other in names.items():
            if source == other or Path(source).absolute() == Path(str(other)).absolute():
                return test / str(name)
    return test / f"relit_{environment_name(source)}"
