# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Photographs in a folder: which they are, how they are turned, and what EXIF says of lenses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ..shared.capture.frame_files import IMAGE_SUFFIXES, frame_names
from ..shared.capture.image_header import read_image_header
from ..shared.capture.mask_files import find_masks
from ..shared.errors import BadCapture, TooFewViews
from ..views.image_files import read_color
from ..views.resize import resize_area

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from ..shared.capture.mask_files import MaskFile

MIN_PHOTOS = 8
MAX_SIZE = 1600
"""Longest side in pixels in which features are looked for."""

EXIF_TAGS = 0x8769
MAKE, MODEL, FOCAL_LENGTH_35MM = 271, 272, 0xA405
WIDTH_35MM, HEIGHT_35MM = 36.0, 24.0


@dataclass(frozen=True)
class Photo:
    """A photograph without a camera.

    Attributes:
        name: unique in its folder; can be a file name.
        path: of the file.
        mask: its mask, if there is one.
        orientation: EXIF's number of how it is turned.
        size: width and height, turned.
        lens: make and model of the camera and the focal length of the picture, as EXIF has them.
        focal: about the focal length in pixels; None if EXIF does not say.
    """

    name: str
    path: Path
    mask: MaskFile | None
    orientation: int
    size: tuple[int, int]
    lens: tuple[str, ...]
    focal: float | None

    @property
    def small_size(self) -> tuple[int, int]:
        """Width and height in which features are looked for."""
        scale = min(1.0, MAX_SIZE / max(self.size))
        width, height = (max(1, round(side * scale)) for side in self.size)
        return width, height

    def read_small(self) -> NDArray[np.uint8]:
        """The photograph as gray values, [height, width], at `small_size`.

        Raises:
            BadImage: if the file is damaged or too large.
        """
        colors, _ = read_color(self.path, self.size, self.orientation)
        gray = colors.astype(np.float32).mean(axis=2) * (255 / np.iinfo(colors.dtype).max)
        width, height = self.small_size
        small: NDArray[np.uint8] = np.rint(resize_area(gray, height, width)).astype(np.uint8)
        return small


def find_photos(folder: Path) -> list[Photo]:
    """The photographs in a folder, by name; masks beside them are theirs.

    Raises:
        BadCapture: if there is no such folder.
        TooFewViews: if there are too few photographs.
        BadImage: if one of them cannot be read.
    """
    if not folder.is_dir():
        raise BadCapture(f"There is no folder {folder}.", "Give the folder with the photographs.")
    images = sorted(path for path in folder.iterdir() if path.suffix in IMAGE_SUFFIXES)
    masks = find_masks(images, folder)
    taken = {mask.path for mask in masks if mask}
    pairs = [pair for pair in zip(images, masks, strict=True) if pair[0] not in taken]
    if len(pairs) < MIN_PHOTOS:
        raise TooFewViews(
            f"The folder {folder} has {len(pairs)} photographs.",
            f"Take {MIN_PHOTOS} or more, better 30, all around the object.",
        )
    names = frame_names([path.name for path, _ in pairs])
    return [_photo(name, path, mask) for name, (path, mask) in zip(names, pairs, strict=True)]


def _photo(name: str, path: Path, mask: MaskFile | None) -> Photo:
    header = read_image_header(path)
    size = header.size(header.orientation)
    exif = _exif(path)
    focal_35mm = exif.get(FOCAL_LENGTH_35MM)
    focal = None
    if isinstance(focal_35mm, int | float) and 5.0 < focal_35mm < 1000.0:
        # Equivalent means the same angle across the diagonal.
        diagonal = np.hypot(*size) / np.hypot(WIDTH_35MM, HEIGHT_35MM)
        focal = float(focal_35mm * diagonal)
    lens = tuple(str(exif.get(tag, "")).strip() for tag in (MAKE, MODEL, FOCAL_LENGTH_35MM))
    return Photo(name, path, mask, header.orientation, size, lens, focal)


def _exif(path: Path) -> dict[int, Any]:
    """The EXIF values of a picture; empty if it has none that can be read."""
    try:
        with Image.open(path) as image:
            exif = image.getexif()
            return {**exif, **exif.get_ifd(EXIF_TAGS)}
    except Exception:  # noqa: BLE001 - of many kinds, and the values are only hints
        return {}
