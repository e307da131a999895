# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a field is fitted: levels from coarse to fine, each with its own weights."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

SECONDS = 45.0
"""Roughly what all steps of the default take on two cores."""

Opacity = Literal["volsdf", "neus"]


@dataclass(frozen=True)
class Level:
    """One resolution of the fit.

    Attributes:
        resolution: grid samples along one side of the model's box.
        band: distance from the surface, in voxels, up to which samples are fitted.
        steps: of the optimizer.
        inverse_std: sharpness of the surface at the first and at the last step, 1 / model units.
        opacity: `volsdf` blurs the surface, which gives gradients farther away, but the blur
            reaches beyond the outline: it is fitted only to rays that the object covers wholly.
            `neus` has half opacity exactly at the zero level set and is fitted to outlines too.
        distance_rate: learning rate of the signed distance, model units.
        color_rate: learning rate of the color logits.
        silhouette_weight: of the squared error of the opacity.
        smoothness_weight: of the squared Laplacian of the signed distance, in voxels.
    """

    resolution: int
    band: float
    steps: int
    inverse_std: tuple[float, float]
    opacity: Opacity
    distance_rate: float
    color_rate: float
    silhouette_weight: float
    smoothness_weight: float


@dataclass(frozen=True)
class RefineConfig:
    """Settings of a whole refinement.

    Attributes:
        levels: coarse to fine.
        rays_per_step: of a batch, about. Random rays of all views make one, every ray is in one.
        max_rays: through the masks of all views; larger views are averaged down.
        halo: pixels around a mask whose rays are fitted too: they must stay empty.
        eikonal_weight: of the squared deviation of the distance's slope from 1.
        reflectance_weight: of the mean reflectance, where the surface is glossy.
        glossy_smoothness: factor of the smoothness of a glossy surface, whose colors say less.
        held_out: input views left out, by which the result is compared with its start; of few
            views one in four. With 0 there is no comparison.
        seconds: after which the levels end, whatever their steps; far beyond what they need, so
            that a result does not depend on how busy the machine is.
        seed: of the order of rays and of their samples.
    """

    levels: tuple[Level, ...] = (
        Level(64, 6.0, 140, (60, 120), "volsdf", 4e-3, 0.12, 0.5, 0.6),
        Level(128, 5.0, 240, (120, 250), "volsdf", 2e-3, 0.12, 1.0, 0.6),
        Level(192, 4.0, 240, (250, 400), "neus", 8e-4, 0.08, 2.0, 2.0),
        Level(192, 4.0, 240, (400, 700), "neus", 6e-4, 0.06, 2.0, 2.0),
    )
    rays_per_step: int = 4096
    max_rays: int = 300_000
    halo: int = 4
    eikonal_weight: float = 0.1
    reflectance_weight: float = 0.01
    glossy_smoothness: float = 2.5
    held_out: int = 2
    seconds: float = 600.0
    seed: int = 0

    def within(self, seconds: float) -> RefineConfig:
        """The settings with as many steps as two cores take in so many seconds."""
        share = min(1.0, seconds / SECONDS)
        levels = [replace(level, steps=max(1, round(level.steps * share))) for level in self.levels]
        return replace(self, levels=tuple(levels), seconds=seconds)
