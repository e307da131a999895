# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Environment light: radiance from all directions, as a picture, as cells, and prefiltered."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from ..shared.radiance_hdr import sample_panorama
from .ggx import lobe

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MIRROR_ROUGHNESS = 0.12
"""Below it a lobe is narrower than a pixel of the largest picture that is filtered."""

MIRROR_HEIGHT = 256


@dataclass(frozen=True)
class LightCells:
    """The environment as a few distant lights of the same total flux.

    Attributes:
        directions: towards the centroid of the light, unit, [cells, 3].
        flux: radiance times solid angle, linear RGB, [cells, 3].
        solid_angles: [cells], together 4 pi.
    """

    directions: Floats
    flux: Floats
    solid_angles: Floats


@dataclass(frozen=True)
class EnvironmentMap:
    """An equirectangular picture of distant light, in Blender's mapping and world axes.

    The column is 0.5 - atan2(y, x) / 2 pi of the width, the row 0.5 - asin(z) / pi of the height.

    Attributes:
        radiance: linear RGB, [height, width, 3], row 0 on top.
    """

    radiance: NDArray[Any]

    def sample(self, directions: Floats) -> Floats:
        """Radiance [..., 3] from directions [..., 3], bilinear."""
        return sample_panorama(self.radiance, directions)

    def shrunk(self, height: int) -> EnvironmentMap:
        """The picture averaged down to at most so many rows, by a whole factor."""
        factor = max(1, self.radiance.shape[0] // height)
        rows, columns = (size // factor for size in self.radiance.shape[:2])
        parts = self.radiance[: rows * factor, : columns * factor]
        parts = parts.reshape(rows, factor, columns, factor, 3)
        return EnvironmentMap(parts.mean(axis=(1, 3)))

    def cells(self, count: int) -> LightCells:
        """Sum the pixels into cells around evenly spread directions.

        Args:
            count: number of cells.
        """
        directions, solid_angles = pixel_directions(*self.radiance.shape[:2])
        pixels, centers = directions.reshape(-1, 3), fibonacci_directions(count)
        cell = cKDTree(centers).query(pixels)[1]
        light = (self.radiance * solid_angles[..., None]).reshape(-1, 3).astype(np.float64)

        def summed(values: Floats) -> Floats:
            columns = [np.bincount(cell, column, count) for column in values.T]
            return np.stack(columns, axis=1)

        centroid = summed(pixels * light.sum(axis=1, keepdims=True))
        length = np.linalg.norm(centroid, axis=1, keepdims=True)
        centroid = np.where(length > 0, centroid / np.maximum(length, 1e-30), centers)
        sizes: Floats = np.bincount(cell, solid_angles.ravel(), count).astype(np.float64)
        return LightCells(centroid, summed(light), sizes)

    @cached_property
    def _lobes(self) -> dict[float, EnvironmentMap]:
        return {}

    def prefiltered(self, roughness: float) -> EnvironmentMap:
        """The light filtered by a GGX lobe; made once for each roughness, see `filtered`."""
        if roughness not in self._lobes:
            self._lobes[roughness] = self.filtered(roughness)
        return self._lobes[roughness]

    def filtered(self, roughness: float) -> EnvironmentMap:
        """Radiance reflected by a GGX lobe around each direction, seen along its axis.

        Karis 2013, eq. (8): normal, view and reflected direction are taken to be the same. All
        pixels are summed: the few samples of a lobe that a small lamp meets are no measure of it.
        The lobe is round, so that two rows of pixels meet by a circular convolution.

        Args:
            roughness: perceptual, its square is the GGX alpha.
        """
        if roughness < MIRROR_ROUGHNESS:
            return self.shrunk(MIRROR_HEIGHT)
        source = self.shrunk(256 if roughness < 0.2 else 128 if roughness < 0.4 else 64)
        height, width = source.radiance.shape[:2]
        directions, solid_angles = pixel_directions(height, width)
        light = np.fft.rfft(source.radiance * solid_angles[..., None], axis=1)
        area = np.fft.rfft(solid_angles, axis=1)
        filtered = np.empty((height, width, 3))
        for row in range(height):
            weight = np.fft.rfft(lobe(roughness, directions @ directions[row, 0]), axis=1)
            total = np.einsum("hw,hwc->wc", weight, light)
            share = np.fft.irfft((weight * area).sum(axis=0), width)
            filtered[row] = np.fft.irfft(total, width, axis=0) / share[:, None]
        return EnvironmentMap(filtered)


def pixel_directions(height: int, width: int) -> tuple[Floats, Floats]:
    """Unit directions [height, width, 3] and solid angles [height, width] of pixel centers."""
    latitude = (0.5 - (np.arange(height) + 0.5) / height) * np.pi
    longitude = (0.5 - (np.arange(width) + 0.5) / width) * 2.0 * np.pi
    flat = np.cos(latitude)[:, None]
    up = np.broadcast_to(np.sin(latitude)[:, None], (height, width))
    directions = np.stack([flat * np.cos(longitude), flat * np.sin(longitude), up], axis=-1)
    bands = np.sin(latitude + 0.5 * np.pi / height) - np.sin(latitude - 0.5 * np.pi / height)
    return directions, np.broadcast_to(bands[:, None] * (2.0 * np.pi / width), (height, width))


def fibonacci_directions(count: int) -> Floats:
    """Evenly spread unit directions, [count, 3]."""
    index = np.arange(count) + 0.5
    z, angle = 1.0 - 2.0 * index / count, np.pi * (1.0 + 5.0**0.5) * index
    flat = np.sqrt(1.0 - z * z)
    return np.stack([flat * np.cos(angle), flat * np.sin(angle), z], axis=1)
