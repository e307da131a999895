# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images and masks of a lens that distorts, resampled to those of a pinhole camera.

Colors are interpolated by cubic splines, which keep their sharpness, masks linearly, which keeps
coverage free of ripples. Rows are resampled in chunks, to bound memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from scipy.ndimage import distance_transform_edt, map_coordinates, spline_filter

from ..shared.errors import BadCamera

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from ..shared.cameras import Intrinsics
    from ..shared.capture.capture import Frame
    from ..shared.lenses import Lens

    Channel: TypeAlias = NDArray[np.float32]

PIXELS_PER_CHUNK = 1 << 20
CUBIC, LINEAR = 3, 1
MAX_LOST = 0.001
"""Share of a mask that may lie where a pinhole image cannot show it."""


@dataclass(frozen=True)
class Undistortion:
    """The way from the image of a lens to that of a pinhole camera.

    Attributes:
        lens: of the image.
        pinhole: the camera of the undistorted image.
        sharp: whether colors keep their sharpness; the linear interpolation otherwise takes a
            sixth of the time, and shows no difference in an image that is averaged down.
    """

    lens: Lens
    pinhole: Intrinsics
    sharp: bool = True

    def color(
        self, colors: NDArray[Any], alpha: NDArray[Any] | None
    ) -> tuple[NDArray[Any], NDArray[Any] | None]:
        """Undistort colors [height, width, 3], and alpha [height, width] if there is any.

        Outside the image they are white, and transparent. Types and ranges stay as they are.
        """
        white = _range_of(colors)
        size = (self.pinhole.height, self.pinhole.width)
        result = np.full((*size, 3), white, dtype=colors.dtype)
        opaque = colors if alpha is None else _without_hidden(colors, alpha)
        for channel in range(3):
            order = CUBIC if self.sharp else LINEAR
            plane = self._resampled(opaque[..., channel], order, outside=white)
            result[..., channel] = _as_type(plane, colors.dtype)
        if alpha is None:
            return result, None
        visible = _as_type(self._resampled(alpha, LINEAR), alpha.dtype)
        result[visible == 0] = white
        return result, visible

    def mask(self, mask: Channel) -> Channel:
        """Undistort a mask [height, width]; outside the image it is zero."""
        return self._resampled(mask, LINEAR)

    def _resampled(
        self, plane: NDArray[Any], order: int, outside: float | np.float32 = 0.0
    ) -> Channel:
        """A channel [height, width] at the pixels of the pinhole camera."""
        values = plane.astype(np.float32)
        if order == CUBIC:
            values = spline_filter(values, order, output=np.float32, mode="mirror")
        result = np.full((self.pinhole.height, self.pinhole.width), outside, dtype=np.float32)
        for rows in self._row_chunks():
            pixels, seen = self.lens.source_pixels(self.pinhole, rows)
            result[rows][seen] = map_coordinates(
                values,
                [pixels[seen, 1] - 0.5, pixels[seen, 0] - 0.5],
                order=order,
                output=np.float32,
                mode="mirror" if order == CUBIC else "nearest",
                prefilter=False,
            )
        return result

    def _row_chunks(self) -> Iterator[slice]:
        step = max(1, PIXELS_PER_CHUNK // self.pinhole.width)
        for start in range(0, self.pinhole.height, step):
            yield slice(start, min(start + step, self.pinhole.height))


def check_nothing_lost(frame: Frame, mask: Channel) -> None:
    """Check that a pinhole image can show all of the object.

    Args:
        frame: with a lens.
        mask: of the image on disk, [height, width].

    Raises:
        BadCamera: if the object reaches too far from the optical axis, or the distortion cannot be
            inverted where it is.
    """
    if frame.lens is None:
        return
    rows, columns = np.nonzero(mask >= 0.5)
    # Rows and columns of whole pixels at some distance are enough for a share.
    step = max(1, len(rows) // 20_000)
    centers = np.stack([columns[::step] + 0.5, rows[::step] + 0.5], axis=-1)
    with np.errstate(all="ignore"):
        lost = 1.0 - float(frame.lens.has_ray(centers).mean()) if len(centers) else 0.0
    if lost > MAX_LOST:
        raise BadCamera(
            f"In view {frame.name}, {100.0 * lost:.2g} % of the object are where its lens cannot "
            "be undistorted.",
            "Photograph the object in the middle of the image, or calibrate the lens up to the "
            "border of the image.",
        )


def _without_hidden(colors: NDArray[Any], alpha: NDArray[Any]) -> NDArray[Any]:
    """Colors in which every transparent pixel has that of the nearest visible one.

    What is stored behind alpha 0 would bleed.
    """
    hidden = alpha == 0
    if hidden.all() or not hidden.any():
        return colors
    nearest = distance_transform_edt(hidden, return_distances=False, return_indices=True)
    filled: NDArray[Any] = colors[tuple(nearest)]
    return filled


def _range_of(values: NDArray[Any]) -> np.float32:
    """The number that means 1."""
    is_integer = np.issubdtype(values.dtype, np.integer)
    return np.float32(np.iinfo(values.dtype).max if is_integer else 1)


def _as_type(values: Channel, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Values of zero or more in another type; integers are rounded."""
    if not np.issubdtype(dtype, np.integer):
        return values.clip(0.0, None).astype(dtype)
    return np.rint(values).clip(0, np.iinfo(dtype).max).astype(dtype)
