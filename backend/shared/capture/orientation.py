# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the cameras of a capture are for photographs as stored, or as EXIF says to show them.

Viewers and most programs turn photographs as EXIF says; COLMAP and others take the pixels as
stored. What the cameras are for follows from the stated size, else from the mask's, else from the
principal point. Where nothing says it, as for square pictures, EXIF is applied.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .image_header import AS_STORED, TURNED_ON_THE_SIDE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from numpy.typing import NDArray

    from .image_header import ImageHeader

    Size = tuple[int, int]

# A quarter turn in the other direction; all other orientations undo themselves.
INVERSE = {6: 8, 8: 6}


@dataclass(frozen=True)
class Orientation:
    """How the files of a frame are turned when they are read, in EXIF's numbers.

    Attributes:
        image: of the photograph; 1 as stored.
        mask: of its mask file, if there is one.
        exif: that the photograph has.
        certain: whether sizes or the principal point say so.
    """

    image: int = AS_STORED
    mask: int = AS_STORED
    exif: int = AS_STORED
    certain: bool = True


def choose_orientation(
    image: ImageHeader,
    mask: ImageHeader | None,
    stated: Size | None,
    principal_point: tuple[float, float] | None,
) -> Orientation:
    """Choose how a photograph and its mask are turned.

    Args:
        image: of the photograph.
        mask: of its mask file, if there is one.
        stated: width and height that the cameras are for, if that is known.
        principal_point: (u, v), if that is stated.
    """
    if image.orientation == AS_STORED:
        turned, certain = False, True
    else:
        evidence = _fits_turned(image, mask, stated, principal_point)
        turned, certain = evidence is not False, evidence is not None
    orientation = image.orientation if turned else AS_STORED
    of_mask = _mask_orientation(image, orientation, mask) if mask else AS_STORED
    return Orientation(orientation, of_mask, image.orientation, certain)


def _fits_turned(
    image: ImageHeader,
    mask: ImageHeader | None,
    stated: Size | None,
    principal_point: tuple[float, float] | None,
) -> bool | None:
    """Whether the cameras are for the turned picture; None if nothing says it."""
    stored, turned = image.size(), image.size(image.orientation)
    if stored == turned:
        return None
    sizes = [stated, mask.size(mask.orientation) if mask else None]
    for size in sizes:
        if size and _same_shape(size, turned) != _same_shape(size, stored):
            return _same_shape(size, turned)
    if principal_point is None:
        return None
    return _off_center(principal_point, turned) < _off_center(principal_point, stored)


def _same_shape(size: Size, other: Size) -> bool:
    """Whether one size is the other one, or that resized."""
    return abs(size[1] - other[1] * size[0] / other[0]) <= 1.0


def _off_center(point: tuple[float, float], size: Size) -> float:
    """How far a point is from the middle of a picture, in units of its sides."""
    return abs(point[0] / size[0] - 0.5) + abs(point[1] / size[1] - 0.5)


def _mask_orientation(image: ImageHeader, orientation: int, mask: ImageHeader) -> int:
    """How a mask is turned: the first likely orientation with which it has the picture's size."""
    if image.orientation == AS_STORED:
        likely = [mask.orientation, AS_STORED]
    elif orientation == AS_STORED:
        back = INVERSE.get(image.orientation, image.orientation)
        likely = [AS_STORED, back, mask.orientation]
    else:
        likely = [mask.orientation, image.orientation, AS_STORED]
    size = image.size(orientation)
    return next((number for number in likely if mask.size(number) == size), likely[0])


def turn_pixels(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Stored pixels [height, width, ...], row 0 on top, as an EXIF orientation shows them.

    A quarter turn is an exchange of rows and columns, and a flip.
    """
    if orientation in TURNED_ON_THE_SIDE:
        pixels = pixels.swapaxes(0, 1)
    if orientation in {3, 4, 7, 8}:
        pixels = pixels[::-1]
    if orientation in {2, 3, 6, 7}:
        pixels = pixels[:, ::-1]
    return pixels


def orientation_warnings(orientations: Iterable[Orientation]) -> list[str]:
    """What is done about EXIF orientations, for the user."""
    found = [each for each in orientations if each.exif != AS_STORED]
    turned = [each for each in found if each.image != AS_STORED]
    stored = [each for each in found if each.image == AS_STORED]
    warnings = []
    if turned:
        text = f"{_photographs(turned)} turned as the EXIF orientation says"
        if not all(each.certain for each in turned):
            text += "; nothing else says whether the cameras are for the turned pictures"
        warnings.append(f"{text}.")
    if stored:
        warnings.append(
            f"{_photographs(stored)} not turned as the EXIF orientation says: "
            "the cameras are for the pictures as stored."
        )
    return warnings


def _photographs(orientations: Sequence[Orientation]) -> str:
    """How many photographs, with the verb that follows."""
    if len(orientations) == 1:
        return "1 photograph is"
    return f"{len(orientations)} photographs are"
