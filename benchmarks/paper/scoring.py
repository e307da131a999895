# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders against the true images of a data set.

Both are averaged down to the scored size and composited over white. PSNR and SSIM are those of
displayed colors over the whole frame, as `backend/result/scores.py` has them.

A light and the surfaces it falls on are known up to a common factor. Where a protocol aligns them,
the linear light of every render is multiplied by one factor for each color channel, which fits the
true image best by least squares over the pixels that both cover. The paper does not say how it
aligns, nor how its PSNR-H is computed: here it is that of linear light, over white, with a peak of
1 and nothing clipped, aligned in the same way.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from backend.result.material_scores import MIN_COVERAGE, color_factors
from backend.result.scores import decibels, over_white, score_image
from backend.shared.srgb import linear_to_srgb, srgb_to_linear
from backend.views.exr_file import read_exr
from backend.views.image_files import MAX_PIXELS
from backend.views.resize import resize_area
from backend.views.views import read_view

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from .layouts.scene import Target
    from .measures import PerceptualMeasures

    Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Render:
    """A render, straight.

    Attributes:
        light: [height, width, 3], linear; black where nothing is covered.
        coverage: [height, width] in 0..1.
    """

    light: Floats
    coverage: Floats

    @classmethod
    def read(cls, path: Path, height: int, width: int) -> Render:
        """Read an OpenEXR file, averaged down.

        Raises:
            BadImage: if it is missing or damaged.
        """
        color, alpha = read_exr(path, MAX_PIXELS)
        coverage = np.ones(color.shape[:2], np.float32) if alpha is None else alpha
        premultiplied = np.concatenate([color, coverage[..., None]], axis=2)
        small = resize_area(premultiplied, height, width)
        coverage = small[..., 3].clip(0.0, 1.0)
        shown = coverage[..., None] > 0
        light = np.divide(
            small[..., :3],
            small[..., 3:],
            out=np.zeros_like(small[..., :3]),
            where=np.broadcast_to(shown, small[..., :3].shape),
        )
        return cls(light, coverage)

    def scaled(self, factors: Floats) -> Render:
        """With each channel multiplied by a factor."""
        return Render(self.light * factors, self.coverage)

    @property
    def displayed(self) -> Floats:
        """The render as displayed, with alpha, [height, width, 4]."""
        color = linear_to_srgb(self.light.clip(0.0, 1.0))
        return np.concatenate([color, self.coverage[..., None]], axis=2).astype(np.float32)

    @property
    def linear(self) -> Floats:
        """The linear light with alpha, [height, width, 4]."""
        return np.concatenate([self.light, self.coverage[..., None]], axis=2)


@dataclass(frozen=True)
class Scored:
    """A target view, scored.

    Attributes:
        measures: by name.
        truth: the true image as displayed, with alpha, [height, width, 4].
        image: the render, likewise, after it was aligned.
    """

    measures: dict[str, float]
    truth: Floats
    image: Floats


def score_target(
    file: Path, target: Target, size: int, perceptual: PerceptualMeasures, *, aligned: bool
) -> Scored:
    """Score a render of a result against a target view.

    Args:
        file: of the render, OpenEXR.
        target: the view.
        size: longest side in pixels to which both are averaged down.
        perceptual: further measures.
        aligned: whether the light of the render is scaled to that of the true image.

    Raises:
        BadImage: if an image is missing or damaged.
        EmptyMask: if the target has no mask.
    """
    view = read_view(target.frame, max_size=size)
    truth = np.concatenate([view.image, view.mask[..., None]], axis=2)
    render = Render.read(file, *view.mask.shape)
    both = (view.mask >= MIN_COVERAGE) & (render.coverage >= MIN_COVERAGE)
    measures = {}
    shown = render
    if aligned:
        measures["psnr_unaligned"] = score_image(render.displayed, truth).psnr
        shown = render.scaled(color_factors(render.light[both], srgb_to_linear(view.image[both])))
    measures |= asdict(score_image(shown.displayed, truth))
    if target.radiance is not None:
        true_light = _radiance(target.radiance, view.mask)
        factors = color_factors(render.light[both], true_light[both][:, :3])
        fitted = render.scaled(factors) if aligned else render
        difference = over_white(fitted.linear) - over_white(true_light)
        measures["psnr_linear"] = decibels((difference**2).mean(axis=2))
    image = shown.displayed
    measures |= perceptual.compare(over_white(image), over_white(truth))
    return Scored(measures, truth, image)


def _radiance(path: Path, mask: Floats) -> Floats:
    """A true image in linear light with the mask [height, width] as alpha, [height, width, 4]."""
    color, _ = read_exr(path, MAX_PIXELS)
    small = resize_area(color, *mask.shape)
    return np.concatenate([small, mask[..., None]], axis=2)
