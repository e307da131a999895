# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scores of materials and normals: passes rendered of a result against those of the asset.

Passes are compared pixel by pixel where both show the object, so a score depends on materials and
normals and hardly on the outline.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..shared.capture.reader import read_capture
from ..shared.errors import BadImage
from ..shared.srgb import linear_to_srgb
from ..views.image_files import read_mask, read_values
from ..views.views import read_view
from .scores import decibels

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from ..shared.capture.capture import Frame

# A pixel shows the object if at least this fraction of it is covered.
MIN_COVERAGE = 0.5


@dataclass(frozen=True)
class Passes:
    """Materials and normals at some pixels of one view.

    Attributes:
        base_color: [pixels, 3] in 0..1, linear.
        roughness: [pixels] in 0..1.
        metallic: [pixels] in 0..1.
        normal: [pixels, 3], in the world, of any length above zero.
    """

    base_color: NDArray[np.float32]
    roughness: NDArray[np.float32]
    metallic: NDArray[np.float32]
    normal: NDArray[np.float32]


@dataclass(frozen=True)
class MaterialScores:
    """The passes of one view against the true ones, over the pixels that both cover.

    Attributes:
        base_color_psnr: decibels of the base color as displayed (sRGB).
        base_color_psnr_aligned: the same after one factor for each channel, which makes up for what
            no view shows: how bright the light is and how bright the surface.
        roughness_error: mean absolute error.
        metallic_error: mean absolute error.
        normal_error_mean: in degrees.
        normal_error_median: in degrees.
    """

    base_color_psnr: float
    base_color_psnr_aligned: float
    roughness_error: float
    metallic_error: float
    normal_error_mean: float
    normal_error_median: float


def score_passes(renders: Path, views: Path) -> dict[str, MaterialScores]:
    """Score every view of a capture that has passes; those without a common pixel are left out.

    Args:
        renders: folder with `masks/<view name>.png` and `<pass>/<view name>.png`.
        views: the capture folder, with `<pass>/<view name>.png`.

    Raises:
        BadImage: if a file is missing or of another size, or no view has a pixel in common.
    """
    pairs = {}
    for frame in read_capture(views).frames:
        common = _common_pixels(renders, frame)
        if common.any():
            pairs[frame.name] = (
                _read_passes(renders, frame, common),
                _read_passes(views, frame, common),
            )
    if not pairs:
        raise BadImage(
            f"The renders in {renders} show the object at no pixel where the views show it.",
            "Give a mesh in the coordinates of the capture.",
        )
    factors = color_factors(
        np.concatenate([render.base_color for render, _ in pairs.values()]),
        np.concatenate([true.base_color for _, true in pairs.values()]),
    )
    return {name: score_materials(*pair, factors) for name, pair in pairs.items()}


def score_materials(
    render: Passes, truth: Passes, factors: Sequence[float] | NDArray[np.float32]
) -> MaterialScores:
    """Compare passes at the same pixels.

    Args:
        render: of the result.
        truth: of the asset.
        factors: for the rendered base color, one for each channel, of `color_factors`.
    """
    aligned = render.base_color * np.asarray(factors, np.float32)
    angles = angles_between(render.normal, truth.normal)
    return MaterialScores(
        base_color_psnr=_color_decibels(render.base_color, truth.base_color),
        base_color_psnr_aligned=_color_decibels(aligned, truth.base_color),
        roughness_error=float(np.abs(render.roughness - truth.roughness).mean()),
        metallic_error=float(np.abs(render.metallic - truth.metallic).mean()),
        normal_error_mean=float(angles.mean()),
        normal_error_median=float(np.median(angles)),
    )


def color_factors(rendered: NDArray[np.float32], true: NDArray[np.float32]) -> NDArray[np.float32]:
    """The factor for each channel of linear colors [pixels, 3] that fits the true ones best.

    Least squares in linear light; 1 for a channel that is black in all pixels.
    """
    products = (rendered.astype(np.float64) * true).sum(axis=0)
    squares = (rendered.astype(np.float64) ** 2).sum(axis=0)
    factors: NDArray[np.float64] = np.divide(
        products, squares, out=np.ones_like(squares), where=squares > 0
    )
    return factors.astype(np.float32)


def angles_between(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float64]:
    """The angles in degrees [n] between vectors [n, 3] of any length.

    By the arc tangent: the arc cosine has no digits left for small angles.
    """
    a, b = a.astype(np.float64), b.astype(np.float64)
    across = np.linalg.norm(np.cross(a, b), axis=1)
    degrees: NDArray[np.float64] = np.degrees(np.arctan2(across, (a * b).sum(axis=1)))
    return degrees


def _color_decibels(rendered: NDArray[np.float32], true: NDArray[np.float32]) -> float:
    """Decibels between linear colors [pixels, 3] as they are displayed."""
    shown, expected = (linear_to_srgb(color.clip(0.0, 1.0)) for color in (rendered, true))
    return decibels((shown - expected) ** 2)


def _common_pixels(renders: Path, frame: Frame) -> NDArray[np.bool_]:
    """Where both the render and the view show the object, [height, width]."""
    size = (frame.intrinsics.width, frame.intrinsics.height)
    rendered = read_mask(renders / "masks" / f"{frame.name}.png", size)
    return (read_view(frame).mask >= MIN_COVERAGE) & (rendered >= MIN_COVERAGE)


def _read_passes(folder: Path, frame: Frame, where: NDArray[np.bool_]) -> Passes:
    """The passes of a view at the pixels of a mask [height, width]."""
    size = (frame.intrinsics.width, frame.intrinsics.height)

    def read(channel: str) -> NDArray[np.float32]:
        return read_values(folder / channel / f"{frame.name}.png", size)[where]

    return Passes(
        base_color=read("base_color"),
        roughness=read("roughness")[:, 0],
        metallic=read("metallic")[:, 0],
        normal=2 * read("normal") - 1,
    )
