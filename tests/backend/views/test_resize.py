# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Image resizing equals that of the release."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from backend.views.resize import resize_area, resize_bytes, resize_linear

if TYPE_CHECKING:
    from collections.abc import Callable

# A step above float32's rounding of a weighted sum of values in 0..1.
ROUNDING = 5e-7


def row(count: int) -> Any:
    """0, 1, 2 ... along the columns of an image, the same in all rows."""
    return np.tile(np.arange(count, dtype=np.float32), (2, 1))


@pytest.mark.parametrize(
    ("resize", "source", "expected"),
    [
        (resize_linear, 4, [0, 0.5, 7 / 6, 11 / 6, 2.5, 3]),  # half-pixel centers
        (resize_linear, 9, [0.25, 1.75, 3.25, 4.75, 6.25, 7.75]),  # shrinks without averaging
        (resize_area, 12, [0.5, 2.5, 4.5, 6.5, 8.5, 10.5]),  # whole cells
        (resize_area, 9, [1 / 3, 5 / 3, 10 / 3, 14 / 3, 19 / 3, 23 / 3]),  # cells cut pixels
        (resize_area, 4, [0, 0.5, 1, 2, 2.5, 3]),  # grows: pixels with seams
        (resize_area, 3, [0, 0, 1, 1, 2, 2]),
    ],
)
def test_rows_of_six(resize: Callable[..., Any], source: int, expected: list[float]) -> None:
    """The weights follow the definition, whether an axis grows or shrinks."""
    image = row(source)
    height = 2 if source >= 6 else 3  # a growing axis makes both axes grow
    np.testing.assert_allclose(resize(image, height, 6)[0], expected, atol=1e-5)


@pytest.mark.parametrize("size", [(5, 7), (13, 13), (48, 31), (97, 60)])
def test_constants_stay(size: tuple[int, int]) -> None:
    """A constant image stays constant; ignored overlaps change it by less than 1e-3."""
    image = np.full((24, 31, 2), 0.7, np.float32)
    for resize in (resize_area, resize_linear):
        resized = resize(image, *size)
        assert resized.shape == (*size, 2)
        assert np.abs(resized - 0.7).max() < 1e-3


def test_rounding_of_bytes() -> None:
    """Ties are rounded up in 2x2 cells and to even elsewhere; growing uses fixed point."""
    quad = np.array([[0, 1], [1, 0]], np.uint8)
    assert resize_bytes(quad, 1, 1)[0, 0] == 1  # 0.5
    nine = np.zeros((4, 4), np.uint8)
    nine[:2] = 1
    assert resize_bytes(nine, 1, 1)[0, 0] == 0  # 0.5
    grown = resize_bytes(np.array([[0, 255]], np.uint8), 1, 4)
    assert grown.tolist() == [[0, 64, 191, 255]]


def test_agrees_with_opencv() -> None:
    """All sizes up to 40 agree with the library that the release uses."""
    cv2 = pytest.importorskip("cv2", reason="needs the extra `parity`")
    random = np.random.default_rng(1)
    cv2.setUseOptimized(False)  # its fast paths round differently
    for _ in range(150):
        height, width, rows, columns = random.integers(1, 41, 4).tolist()
        image = random.random((height, width, 3), np.float32)
        stored = random.integers(0, 256, (height, width, 3)).astype(np.uint8)
        size = (columns, rows)
        area = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        np.testing.assert_allclose(resize_area(image, rows, columns), area, atol=ROUNDING)
        linear = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
        np.testing.assert_allclose(resize_linear(image, rows, columns), linear, atol=ROUNDING)
        shrinks = rows < height and columns < width
        kind = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        difference = cv2.resize(stored, size, interpolation=kind).astype(int)
        difference -= resize_bytes(stored, rows, columns)
        # Sums of cut pixels that end near a half round either way.
        assert np.abs(difference).max() <= (1 if shrinks else 0)
