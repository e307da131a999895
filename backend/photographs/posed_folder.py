# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Photographs with the cameras that were found for them, as a capture folder."""

from __future__ import annotations

import logging
import shutil
from typing import TYPE_CHECKING, Any

from ..shared.atomic_folder import AtomicFolder, is_empty_folder
from ..shared.capture.capture import TRANSFORMS_NAMES, Frame
from ..shared.capture.checksums import SHA256, checksums
from ..shared.capture.json_files import CAPTURE_JSON, read_capture_json, write_capture_json
from ..shared.capture.lens_keys import undistorted_intrinsics
from ..shared.capture.writer import write_transforms
from ..shared.errors import LsrmError, OutputNotWritable
from .photo_files import find_photos
from .structure_from_motion import find_cameras
from .world import guess_world

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ..shared.progress import Progress
    from .structure_from_motion import Cameras, PosedPhoto
    from .world import World

LOGGER = logging.getLogger(__name__)

PHOTOGRAPHS = "photographs"
"""The folder of them, in the `source` of capture.json of a folder that this module has written."""

COPIED = "copied"
"""In capture.json, of masks that came with the photographs."""

CONTENT = {"images", TRANSFORMS_NAMES[0], CAPTURE_JSON}


class PosedFolder(AtomicFolder):
    """The folder of photographs with cameras; it replaces nothing but an earlier one.

    Raises:
        OutputNotWritable: if the destination cannot be made, or holds other files.
        DiskFull: if the disk has no room.
    """

    def check_destination(self) -> None:
        """Refuse to replace anything but an earlier folder without masks.

        Raises:
            OutputNotWritable: naming a file that would be lost.
        """
        if not self.destination.exists() or is_empty_folder(self.destination):
            return
        foreign = ["a file of that name"]
        if self.destination.is_dir():
            names = {entry.name for entry in self.destination.iterdir()}
            foreign = sorted(names - _replaceable(self.destination))
        if foreign:
            raise OutputNotWritable(
                f"{self.destination} holds what would be lost: {foreign[0]}.",
                "Choose an empty or a new folder.",
            )


def pose_photographs(photos: Path, output: Path, progress: Progress) -> tuple[int, list[str]]:
    """Find the cameras of the photographs in a folder, and write them as a capture folder.

    Photographs are copied as they are, with masks that lie beside them; distortion is written with
    the cameras. Up, center and scale are guessed from the cameras.

    Args:
        photos: the folder of the photographs.
        output: the capture folder.
        progress: receives stages; a cancel ends the work within half a second.

    Returns:
        How many photographs have cameras, and warnings for the user.

    Raises:
        LsrmError: as `find_photos`, `find_cameras` and `PosedFolder` raise.
    """
    folder = PosedFolder(output)
    with folder as unfinished:
        cameras = find_cameras(find_photos(photos), progress)
        world = guess_world([each.camera_to_world for each in cameras.posed])
        progress.report("write", 0.0)
        frames = [_copied(each, world, unfinished) for each in cameras.posed]
        warnings = _warnings(cameras, world)
        write_transforms(unfinished / TRANSFORMS_NAMES[0], frames)
        description = _description(photos, cameras, world, warnings)
        write_capture_json(unfinished, {**description, SHA256: checksums(unfinished, frames)})
        progress.report("write", 1.0)
    for warning in warnings:
        LOGGER.info("%s", warning)
    return len(frames), warnings


def _replaceable(folder: Path) -> set[str]:
    """The files and folders that an earlier run has written; masks that were made are none."""
    try:
        description = read_capture_json(folder)
    except LsrmError:
        return set()
    source = description.get("source")
    if not isinstance(source, dict) or PHOTOGRAPHS not in source:
        return set()
    return CONTENT | ({"masks"} if description.get("masks") == COPIED else set())


def _copied(posed: PosedPhoto, world: World, folder: Path) -> Frame:
    """Copy a photograph and its mask into a folder; returns its frame there."""
    photo = posed.photo
    image = folder / "images" / photo.path.name
    mask = folder / "masks" / photo.mask.path.name if photo.mask else None
    for path, source in ((image, photo.path), (mask, photo.mask.path if photo.mask else None)):
        if path and source:
            path.parent.mkdir(exist_ok=True)
            shutil.copyfile(source, path)
    distorts = not posed.lens.distortion.is_none
    return Frame(
        name=photo.name,
        image_path=image,
        mask_path=mask,
        intrinsics=undistorted_intrinsics(posed.lens, photo.name),
        camera_to_world=world.apply_to_pose(posed.camera_to_world),
        lens=posed.lens if distorts else None,
    )


def _warnings(cameras: Cameras, world: World) -> list[str]:
    warnings = []
    if cameras.left_out:
        warnings.append(
            f"Left out because they do not connect with the others: {', '.join(cameras.left_out)}."
        )
    if not world.is_up_certain:
        warnings.append(
            "Which way is up is uncertain: the photographs were not taken with a level camera."
        )
    return warnings


def _description(
    photos: Path, cameras: Cameras, world: World, warnings: Sequence[str]
) -> dict[str, Any]:
    """The contents of capture.json: where the cameras come from."""
    return {
        "source": {"name": photos.resolve().name, PHOTOGRAPHS: str(photos.resolve())},
        "cameras": {
            **cameras.facts,
            "posed": len(cameras.posed),
            "left_out": list(cameras.left_out),
            "up": "guessed: the cameras are level",
            "tilt": world.tilt,
            "scale": "guessed: the mean distance of the cameras is 1",
        },
        "masks": COPIED if any(each.photo.mask for each in cameras.posed) else None,
        "warnings": list(warnings),
    }
