# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Image resizing as in the release, by area averaging and linear interpolation.

The results equal those of the AREA and LINEAR filters of common image libraries to the last digit,
because the released weights were trained on them. Both are separable: an output row is a weighted
sum of a few input rows (`Taps`), and the same holds for columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Smaller overlaps of a cell with a pixel are ignored, as by the release's filter.
_MIN_OVERLAP = 1e-3
# Linear weights for 8-bit images are rounded to multiples of 1 / this.
_FIXED_POINT = 2048


@dataclass(frozen=True)
class Taps:
    """The source samples and weights of each resized sample along one axis.

    Attributes:
        index: [target, taps] of source samples.
        weight: [target, taps] of these, zero for unused taps.
    """

    index: NDArray[np.intp]
    weight: NDArray[np.float64]

    def apply(self, image: NDArray[Any], axis: int) -> NDArray[Any]:
        """Resample one axis; the taps are added one by one in the dtype of the image."""
        moved = np.moveaxis(image, axis, 0)
        column = (-1,) + (1,) * (moved.ndim - 1)
        weight = self.weight.astype(image.dtype)
        result = moved[self.index[:, 0]] * weight[:, 0].reshape(column)
        for tap in range(1, self.index.shape[1]):
            result += moved[self.index[:, tap]] * weight[:, tap].reshape(column)
        return np.moveaxis(result, 0, axis)


def linear_taps(source: int, target: int) -> Taps:
    """Linear interpolation at half-pixel centers, without antialiasing; the border repeats."""
    # The release rounds positions to float32, which changes the sixth digit in large images.
    position = ((np.arange(target) + 0.5) * (source / target) - 0.5).astype(np.float32)
    left = np.floor(position)
    return _pair(left.astype(np.intp), (position - left).astype(np.float64), source)


def _pair(left: NDArray[np.intp], fraction: NDArray[np.float64], source: int) -> Taps:
    index = np.clip(np.stack([left, left + 1], 1), 0, source - 1)
    return Taps(index, np.stack([1.0 - fraction, fraction], 1))


def area_taps(source: int, target: int) -> Taps:
    """Area averaging, target <= source: samples are weighted by overlap with the target's cell."""
    scale = source / target
    start = np.arange(target) * scale
    end = np.minimum(start + scale, source)
    index = np.floor(start)[:, None] + np.arange(int(np.ceil(scale)) + 1)
    overlap = np.minimum(end[:, None], index + 1) - np.maximum(start[:, None], index)
    overlap[overlap <= _MIN_OVERLAP] = 0.0
    return Taps(np.minimum(index, source - 1).astype(np.intp), overlap / (end - start)[:, None])


def average_down(channel: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """A channel [rows, columns] averaged down by area to [height, width].

    Rows first: they are contiguous in memory, which takes a sixth of the time.
    """
    rows, columns = channel.shape
    if (rows, columns) == (height, width):
        return channel
    return area_taps(columns, width).apply(area_taps(rows, height).apply(channel, 0), 1)


def enlarging_area_taps(source: int, target: int) -> Taps:
    """The release's area filter for an axis that grows: linear only between neighboring pixels."""
    ratio = target / source
    pixel = np.arange(target)
    # If a boundary falls on a pixel, rounding decides: hence the reciprocal and float32.
    left = np.floor(pixel * (1.0 / ratio))
    offset = ((pixel + 1) - (left + 1) * ratio).astype(np.float32)
    fraction = np.where(offset <= 0.0, 0.0, offset - np.floor(offset)).astype(np.float64)
    return _pair(left.astype(np.intp), fraction, source)


def resize_linear(image: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """Resize [rows, columns, ...] linearly to [height, width, ...]."""
    rows, columns = image.shape[:2]
    if (rows, columns) == (height, width):
        return image
    wide = linear_taps(columns, width).apply(image, 1)
    return linear_taps(rows, height).apply(wide, 0)


def resize_area(image: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """Resize [rows, columns, ...] by area averaging to [height, width, ...].

    If one axis grows, both use `enlarging_area_taps`, as in the release.
    """
    rows, columns = image.shape[:2]
    if (rows, columns) == (height, width):
        return image
    taps = area_taps if height <= rows and width <= columns else enlarging_area_taps
    wide = taps(columns, width).apply(image, 1)
    return taps(rows, height).apply(wide, 0)


def resize_bytes(image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Resize an 8-bit image [rows, columns, ...]: by area if both axes shrink, else linearly."""
    rows, columns = image.shape[:2]
    if (rows, columns) == (height, width):
        return image
    if height >= rows or width >= columns:
        resized = _fixed_point_linear(image, height, width)
    elif rows % height or columns % width:
        resized = np.rint(resize_area(image.astype(np.float32), height, width))
    else:
        resized = _average_cells(image, rows // height, columns // width)
    result: NDArray[np.uint8] = np.clip(resized, 0, 255).astype(np.uint8)
    return result


def _average_cells(image: NDArray[np.uint8], tall: int, wide: int) -> NDArray[Any]:
    """Rounded means of whole cells; ties are rounded to even, in cells of 2x2 pixels up."""
    rows, columns = image.shape[0] // tall, image.shape[1] // wide
    cells = image.reshape(rows, tall, columns, wide, *image.shape[2:])
    mean: NDArray[Any] = cells.sum((1, 3)).astype(np.float32) * np.float32(1.0 / (tall * wide))
    return np.floor(mean + 0.5) if tall == wide == 2 else np.rint(mean)


def _fixed_point_linear(image: NDArray[np.uint8], height: int, width: int) -> NDArray[Any]:
    """Linear interpolation in fixed point as in the release: 11 bits, truncated after each axis."""
    rows, columns = image.shape[:2]
    wide = np.moveaxis(image.astype(np.int64), 1, 0)
    left, right = _integer_products(wide, linear_taps(columns, width))
    tall = np.moveaxis(left + right, 0, 1) >> 4
    above, below = _integer_products(tall, linear_taps(rows, height))
    result: NDArray[Any] = ((above >> 16) + (below >> 16) + 2) >> 2
    return result


def _integer_products(values: NDArray[np.int64], taps: Taps) -> list[NDArray[np.int64]]:
    column = (-1,) + (1,) * (values.ndim - 1)
    weight = np.rint(taps.weight * _FIXED_POINT).astype(np.int64)
    return [values[taps.index[:, tap]] * weight[:, tap].reshape(column) for tap in (0, 1)]
