# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The GGX microfacet lobe: samples, the split-sum table, and its width as a Gaussian."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

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

    scale: Floats
    bias: Floats

    @property
    def lost(self) -> Floats:
        """Energy of multiple scattering relative to single scattering, [...]."""
        total: Floats = 1.0 / np.maximum(self.scale + self.bias, 1e-3) - 1.0
        return total


def half_vectors(roughness: float, count: int) -> Floats:
    """Half vectors distributed like GGX normals around +z, [count, 3]."""
    alpha = roughness * roughness
    index = np.arange(count) + 0.5
    share, angle = index / count, np.pi * (1.0 + 5.0**0.5) * index
    z = np.sqrt((1.0 - share) / (1.0 + (alpha * alpha - 1.0) * share))
    flat = np.sqrt(1.0 - z * z)
    return np.stack([flat * np.cos(angle), flat * np.sin(angle), z], axis=1)


def split_sum(roughness: float, cosine: Floats) -> SplitSum:
    """Scale and bias at cosines [...] between normal and view, interpolated in a table."""
    table = _split_sum_table(roughness)
    position = np.clip(cosine * _COSINES - 0.5, 0.0, _COSINES - 1.001)
    low = position.astype(int)
    share = (position - low)[..., None]
    values = table[low] * (1.0 - share) + table[low + 1] * share
    return SplitSum(values[..., 0], values[..., 1])


@cache
def _split_sum_table(roughness: float) -> Floats:
    """Scale and bias at evenly spaced cosines, [cosines, 2], by importance sampling."""
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
    return np.stack([((1 - fresnel) * visible).mean(1), (fresnel * visible).mean(1)], axis=1)


def lobe(roughness: float | Floats, cosine: Floats) -> Floats:
    """Weight of light at cosines [...] to the axis that a lobe is seen along, not normalized.

    Half vectors lie halfway between the axis and the light; light below the horizon counts nothing.
    """
    alpha_squared = roughness**4
    half_squared = 0.5 * (1.0 + cosine)
    weight: Floats = cosine.clip(0.0) * (half_squared * (alpha_squared - 1.0) + 1.0) ** -2
    return weight


def lobe_integral(roughness: Floats) -> Floats:
    """The integral of `lobe` over all directions, in closed form, [...]."""
    # Where the roughness is 1 facets do not matter; the closed form is singular there.
    alpha_squared = np.minimum(roughness**4, 0.999)
    slope = 0.5 * (alpha_squared - 1.0)
    middle = 1.0 + slope
    inner = np.log(alpha_squared / middle) + middle / alpha_squared - 1.0
    integral: Floats = 2.0 * np.pi * inner / slope**2
    return integral


def peak_direction(roughness: float, normals: Floats, mirrored: Floats) -> Floats:
    """Where a lobe is centered: a rough one leans from the mirrored direction to the normal.

    Lagarde and de Rousiers 2014, section 4.9.3, with the GGX alpha as roughness; not normalized.

    Args:
        roughness: perceptual.
        normals: unit, [..., 3].
        mirrored: the view direction mirrored at the normal, unit, [..., 3].
    """
    alpha = roughness**2
    share = (1.0 - alpha) * (np.sqrt(1.0 - alpha) + alpha)
    leaned: Floats = normals + share * (mirrored - normals)
    return leaned


def lobe_sharpness(roughness: float) -> float:
    """Sharpness of the spherical Gaussian that stands for a lobe where occlusion is concerned."""
    return min(1.0 / (2.0 * roughness**4), 60.0)
