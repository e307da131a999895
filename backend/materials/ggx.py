# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The GGX microfacet lobe: samples, the split-sum table, and its width as a Gaussian."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray
    from torch import Tensor

    Floats = NDArray[np.float64]

ROUGHNESS = (0.08, 0.15, 0.25, 0.35, 0.45, 0.55, 0.7, 0.85, 1.0)
"""Perceptual roughness of the candidates; the square is the GGX alpha."""

DIELECTRIC_F0 = 0.04
"""Reflectance at normal incidence of an index of refraction of 1.5."""

_COSINES = 32
_SAMPLES = 256


@dataclass(frozen=True)
class SplitSum:
    """Directional reflectance of a lobe: F0 * scale + bias (Karis 2013).

    Attributes:
        scale: factor of the reflectance at normal incidence, [...].
        bias: what grazing angles add, [...].
    """

    scale: Tensor
    bias: Tensor

    @property
    def lost(self) -> Tensor:
        """Energy of multiple scattering relative to single scattering, [...]."""
        return 1.0 / (self.scale + self.bias).clamp_min(1e-3) - 1.0


def half_vectors(roughness: float, count: int) -> Floats:
    """Half vectors distributed like GGX normals around +z, [count, 3]."""
    alpha = roughness * roughness
    index = np.arange(count) + 0.5
    share, angle = index / count, np.pi * (1.0 + 5.0**0.5) * index
    z = np.sqrt((1.0 - share) / (1.0 + (alpha * alpha - 1.0) * share))
    flat = np.sqrt(1.0 - z * z)
    return np.stack([flat * np.cos(angle), flat * np.sin(angle), z], axis=1)


def split_sum(roughness: float, cosine: Tensor) -> SplitSum:
    """Scale and bias at cosines [...] between normal and view, interpolated in a table."""
    table = _table_on(roughness, cosine.device).to(cosine.dtype)
    position = (cosine * _COSINES - 0.5).clamp(0.0, _COSINES - 1.001)
    low = position.long()
    share = position - low
    scale, bias = (torch.lerp(column[low], column[low + 1], share) for column in table)
    return SplitSum(scale, bias)


def split_sums(roughness: Iterable[float], cosine: Tensor) -> Tensor:
    """Scale and bias for several roughnesses at cosines [n], [2, roughnesses, n]."""
    sums = [split_sum(each, cosine) for each in roughness]
    return torch.stack([torch.stack([each.scale, each.bias]) for each in sums], dim=1)


@cache
def _table_on(roughness: float, device: torch.device) -> Tensor:
    """The table of scale and bias on a device, [2, cosines]."""
    return torch.from_numpy(_split_sum_table(roughness)).to(device)


def _split_sum_table(roughness: float) -> Floats:
    """Scale and bias at evenly spaced cosines, [2, cosines], by importance sampling."""
    alpha = roughness * roughness
    half = half_vectors(roughness, _SAMPLES)
    cosine = ((np.arange(_COSINES) + 0.5) / _COSINES)[:, None]
    view = np.concatenate([np.sqrt(1.0 - cosine**2), 0.0 * cosine, cosine], axis=1)
    view_half = view @ half.T
    light = (2.0 * view_half[..., None] * half - view[:, None])[..., 2]

    def shadowing(c: Floats) -> Floats:
        lobe: Floats = 2.0 * c / (c + np.sqrt(alpha**2 + (1.0 - alpha**2) * c * c))
        return lobe

    visible = shadowing(np.clip(light, 1e-4, 1.0)) * shadowing(cosine)
    visible = np.where(light > 0, visible * view_half / (half[:, 2] * cosine), 0.0)
    fresnel = np.clip(1.0 - view_half, 0.0, 1.0) ** 5
    return np.stack([((1 - fresnel) * visible).mean(1), (fresnel * visible).mean(1)])


def lobe(roughness: float | Tensor, cosine: Tensor) -> Tensor:
    """Weight of light at cosines [...] to the axis that a lobe is seen along, not normalized.

    Half vectors lie halfway between the axis and the light; light below the horizon counts nothing.
    """
    # 1 + (alpha^2 - 1) cos^2 of the half angle, summed so that a narrow lobe is exact at its peak.
    width = 0.5 * (1.0 - cosine) + 0.5 * (1.0 + cosine) * roughness**4
    return cosine.clamp_min(0.0) / width**2


def lobe_integral(roughness: Tensor) -> Tensor:
    """The integral of `lobe` over all directions, in closed form, [...]."""
    # Where the roughness is 1 facets do not matter; the closed form is singular there.
    alpha_squared = (roughness**4).clamp_max(0.999)
    slope = 0.5 * (1.0 - alpha_squared)
    ratio = slope / alpha_squared
    return 2.0 * torch.pi * (ratio - torch.log1p(ratio)) / slope**2


def peak_direction(roughness: float, normals: Tensor, mirrored: Tensor) -> Tensor:
    """Where a lobe is centered: a rough one leans from the mirrored direction to the normal.

    Lagarde and de Rousiers 2014, section 4.9.3, with the GGX alpha as roughness; not normalized.

    Args:
        roughness: perceptual.
        normals: unit, [..., 3].
        mirrored: the view direction mirrored at the normal, unit, [..., 3].
    """
    alpha = roughness**2
    share = (1.0 - alpha) * ((1.0 - alpha) ** 0.5 + alpha)
    return torch.lerp(normals, mirrored, share)


def lobe_sharpness(roughness: float) -> float:
    """Sharpness of the spherical Gaussian that stands for a lobe where occlusion is concerned."""
    return min(1.0 / (2.0 * roughness**4), 60.0)
