# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The losses of rendered views of one object, and their gradient with respect to the pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ...field.renderer import OPAQUE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...field.config import Prediction
    from ..settings.config import LossWeights
    from .chunked_rendering import Rendering
    from .perceptual import PerceptualDistance

BRIGHTENING = (0.1, 5.0)
"""Limits of the factor that a predicted base color is scaled by before it is judged."""


@dataclass(frozen=True)
class Truth:
    """What the rendered views should show; appearance in 0..1, over white.

    Attributes:
        rgb: [views, 3, height, width], sRGB.
        mask: [views, 1, height, width], coverage.
        depth: [views, 1, height, width], model units, 0 where it is not known; or None.
        normals: [views, 3, height, width], unit, in the model frame; or None.
        normal_mask: [views, 1, height, width], where normals count; None without them.
        base_color: [views, 3, height, width], sRGB, as the decoder predicts it; or None.
        material: [views, 2, height, width], roughness and metallic; or None.
    """

    rgb: Tensor
    mask: Tensor
    depth: Tensor | None = None
    normals: Tensor | None = None
    normal_mask: Tensor | None = None
    base_color: Tensor | None = None
    material: Tensor | None = None

    def to(self, like: Tensor) -> Truth:
        """The same on the device and in the type of a tensor."""
        moved: list[Any] = [each if each is None else each.to(like) for each in vars(self).values()]
        return Truth(*moved)


@dataclass(frozen=True)
class ImageLosses:
    """Judges the rendered views of an object.

    Attributes:
        weights: of the terms.
        prediction: which appearance is rendered.
        perceptual: the perceptual distance, where its weights are present.
    """

    weights: LossWeights
    prediction: Prediction
    perceptual: PerceptualDistance | None = None

    def terms(self, found: Rendering, truth: Truth) -> dict[str, Tensor]:
        """The weighted terms, scalars; those that weigh nothing or lack a truth are left out."""
        views, _, height, width = truth.mask.shape
        images = {
            name: each.view(views, height, width, -1).permute(0, 3, 1, 2)
            for name, each in vars(found).items()
            if each is not None
        }
        opacity = images["opacity"]
        terms = {"mask": self.weights.mask * F.mse_loss(opacity, truth.mask)}
        terms |= self._appearance(images["appearance"], opacity, truth)
        valid = (opacity > OPAQUE).to(opacity)
        if truth.depth is not None:
            seen = valid * (truth.depth > 0)
            terms["depth"] = self.weights.depth * _inside(images["depth"], truth.depth, seen)
        if truth.normals is not None and truth.normal_mask is not None and "normals" in images:
            seen = valid * truth.normal_mask
            terms["normal"] = self.weights.normal * _inside(images["normals"], truth.normals, seen)
        return {name: term for name, term in terms.items() if getattr(self.weights, name)}

    def gradient(self, found: Rendering, truth: Truth) -> tuple[dict[str, Tensor], list[Tensor]]:
        """The terms, detached, and the gradient of their sum for each tensor of the rendering.

        A sum that is not a number has no gradient.
        """
        with torch.enable_grad():
            leaves = found.leaves()
            terms = self.terms(leaves, truth)
            total = torch.stack([*terms.values()]).sum()
        zeros = [torch.zeros_like(each) for each in leaves.tensors]
        if not bool(torch.isfinite(total)):
            return {name: term.detach() for name, term in terms.items()}, zeros
        grads = torch.autograd.grad(total, leaves.tensors, allow_unused=True)
        return (
            {name: term.detach() for name, term in terms.items()},
            [zero if grad is None else grad for zero, grad in zip(zeros, grads, strict=True)],
        )

    def _appearance(self, appearance: Tensor, opacity: Tensor, truth: Truth) -> dict[str, Tensor]:
        """The terms of colors and materials, in the order in which a decoder has its channels."""
        weights, terms = self.weights, dict[str, Tensor]()
        if self.prediction != "pbr":
            rgb, appearance = appearance[:, :3], appearance[:, 3:]
            terms |= self._color("rgb", rgb, truth.rgb)
        if self.prediction != "rgb" and truth.base_color is not None:
            scaled = brightened(appearance[:, :3], truth.base_color, opacity * truth.mask)
            terms |= self._color("base_color", scaled, truth.base_color)
        if self.prediction != "rgb" and truth.material is not None:
            error = 4 * (appearance[:, 3:5] - truth.material).square().mean((0, 2, 3))
            terms["roughness"] = weights.roughness * error[0]
            terms["metallic"] = weights.metallic * error[1]
        return terms

    def _color(self, name: str, found: Tensor, truth: Tensor) -> dict[str, Tensor]:
        """The terms of a color, whose range is moved to -1..1."""
        pair = 2 * found - 1, 2 * truth - 1
        terms = {name: getattr(self.weights, name) * F.mse_loss(*pair)}
        weight = getattr(self.weights, f"{name}_perceptual")
        if self.perceptual is not None and weight:
            terms[f"{name}_perceptual"] = weight * self.perceptual(*pair)
        return terms


def brightened(found: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    """A base color as bright as the true one, over white: light and color share one factor.

    Args:
        found: [views, 3, height, width], over white.
        truth: like found.
        mask: [views, 1, height, width], where both show the object.
    """
    means = [(color * mask).mean() for color in (truth, found)]
    factor = (means[0] / means[1].clamp(min=1e-6)).clamp(*BRIGHTENING)
    return (factor * found * mask + 1 - mask).clamp(0, 1)


def usable_sum(terms: Mapping[str, Tensor]) -> tuple[float, bool]:
    """The sum of the terms, and whether it is a number; if not, it counts as 0."""
    total = float(torch.stack([*terms.values()]).sum()) if terms else 0.0
    usable = total - total == 0
    return (total if usable else 0.0), usable


def _inside(found: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    """The squared error inside a mask, on average over all pixels."""
    return ((found - truth) * mask).square().mean()
