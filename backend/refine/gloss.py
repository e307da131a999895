# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a surface mirrors a known light, fitted together with it.

Without it a fit explains reflections, which move with the view, by dents of the surface.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from ..materials.environment_map import look_up, pixel_directions, with_borders
from ..materials.ggx import DIELECTRIC_F0, split_sums

if TYPE_CHECKING:
    from ..materials.environment_map import EnvironmentMap

ROUGHNESS = (0.12, 0.25, 0.4, 0.55, 0.75, 1.0)
"""Of the lobes; between them, radiance is interpolated."""

LOBE_HEIGHT = 64
COSINES = 32

CELLS = 40
"""Of reflectance and roughness along one side of the model's box: evidence is pooled in them."""

MATT_LOGIT = -5.0
"""Of the reflectance at the start; a matt surface keeps it."""

OVERFLOW_SLOPE = 0.05
"""Views end at 1; a brighter prediction keeps this much of its slope, to come back."""


@dataclass(frozen=True)
class LightLobes:
    """A distant light as GGX lobes of some roughnesses reflect it.

    Attributes:
        radiance: linear RGB, [1, 3, roughness, height, width + 2]; the sides repeat.
        split_sum: scale and bias of the reflectance, [1, 2, roughness, cosines].
    """

    radiance: Tensor
    split_sum: Tensor

    @classmethod
    def from_environment(
        cls, light: EnvironmentMap, device: torch.device | None = None
    ) -> LightLobes:
        """Filter a light for all roughnesses, for a device; the CPU if it is None."""
        directions, _ = pixel_directions(LOBE_HEIGHT, 2 * LOBE_HEIGHT)
        at = torch.from_numpy(directions).to(device)
        pictures = [look_up(light.prefiltered(rough, device), at) for rough in ROUGHNESS]
        radiance = with_borders(torch.stack(pictures).permute(3, 0, 1, 2))
        cosines = (torch.arange(COSINES, dtype=at.dtype, device=device) + 0.5) / COSINES
        table = split_sums(ROUGHNESS, cosines)
        return cls(radiance[None].float().contiguous(), table[None].float())

    def reflect(self, normals: Tensor, directions: Tensor, material: Tensor) -> Tensor:
        """Reflected radiance, linear RGB, [rays, 3].

        Args:
            normals: unit, in the axes of the light, [rays, 3].
            directions: of the rays, away from the viewer, unit, [rays, 3].
            material: reflectance at normal incidence, then roughness as a share of the way from
                the first lobe to the last, all in 0..1, [rays, 4].
        """
        reflectance, level = material[:, :3], material[:, 3]
        cosine = -(directions * normals).sum(1)
        mirrored = F.normalize(directions + 2 * cosine[:, None] * normals, dim=1)
        layer = (2 * level - 1) * (len(ROUGHNESS) - 1) / len(ROUGHNESS)
        light = self._radiance_from(mirrored, layer)
        where = torch.stack([2 * cosine.clamp(0, 1) - 1, layer], 1).view(1, 1, -1, 2)
        table = F.grid_sample(self.split_sum, where, padding_mode="border", align_corners=False)
        scale, bias = table[0, :, 0].unsqueeze(2)
        # What reflects less than any dielectric is occluded or no surface, at grazing angles too.
        grazing = (reflectance / DIELECTRIC_F0).clamp(max=1)
        share: Tensor = reflectance * scale + grazing * bias
        return light * share

    def _radiance_from(self, directions: Tensor, layer: Tensor) -> Tensor:
        """Filtered radiance [rays, 3] from unit directions [rays, 3] at depths -1..1 [rays]."""
        x, y, z = directions.unbind(1)
        width = self.radiance.shape[-1]
        column = torch.atan2(y, x + 1e-9) * ((2 - width) / width / torch.pi)
        row = -torch.asin(z.clamp(-0.9999, 0.9999)) * (2 / torch.pi)
        where = torch.stack([column, row, layer], 1).view(1, 1, 1, -1, 3)
        found = F.grid_sample(self.radiance, where, padding_mode="border", align_corners=False)
        return found[0, :, 0, 0].T


@dataclass(frozen=True)
class Gloss:
    """Reflectance and roughness in space, under a light.

    Attributes:
        lobes: of the light.
        logits: of reflectance and roughness, leaf with gradients, [1, 4, z, y, x].
        half_side: the grid spans [-half_side, half_side]^3.
    """

    lobes: LightLobes
    logits: Tensor
    half_side: float

    @classmethod
    def matt(cls, lobes: LightLobes, half_side: float) -> Gloss:
        """Hardly any gloss anywhere."""
        logits = lobes.radiance.new_zeros(1, 4, CELLS, CELLS, CELLS)
        logits[:, :3] = MATT_LOGIT
        return cls(lobes, logits.requires_grad_(), half_side)

    def mean_reflectance(self) -> Tensor:
        """A prior: what can be explained by color alone is not glossy."""
        return torch.sigmoid(self.logits[:, :3]).mean()

    def added_to(
        self, colors: Tensor, points: Tensor, normals: Tensor, directions: Tensor
    ) -> Tensor:
        """Colors as displayed with their reflections, [rays, 3].

        Args:
            colors: without reflections, sRGB, [rays, 3].
            points: on the surface, [rays, 3].
            normals: unit, [rays, 3].
            directions: of the rays, away from the viewer, unit, [rays, 3].
        """
        where = (points / self.half_side).view(1, 1, 1, -1, 3)
        found = F.grid_sample(self.logits, where, padding_mode="border", align_corners=True)
        material = torch.sigmoid(found[0, :, 0, 0].T)
        mirrored = self.lobes.reflect(normals, directions, material)
        return _displayed(_linear(colors) + mirrored)


def _linear(color: Tensor) -> Tensor:
    """Linear light of sRGB, differentiable everywhere."""
    curve = ((color.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4
    return torch.where(color <= 0.04045, color / 12.92, curve)


def _displayed(light: Tensor) -> Tensor:
    """SRGB of linear light, bent to a small slope above 1."""
    curve = 1.055 * light.clamp(min=0.0031308) ** (1 / 2.4) - 0.055
    shown = torch.where(light <= 0.0031308, 12.92 * light, curve)
    return torch.where(shown > 1, 1 + OVERFLOW_SLOPE * (shown - 1), shown)
