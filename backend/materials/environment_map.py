# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Environment light: radiance from all directions, as a picture, as cells, and prefiltered.

Sums over pixels are in float64: a sun is a million times as bright as the sky.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional as F

from kernels.core.chunk_size import rows_per_chunk

from .ggx import lobe

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray
    from torch import Tensor

    Floats = NDArray[np.float64]

MIRROR_ROUGHNESS = 0.12
"""Below it a lobe is narrower than a pixel of the largest picture that is filtered."""

MIRROR_HEIGHT = 256

PIXELS_PER_CHUNK = 4096
"""Whose cells are found together on the CPU."""

FILTERED_PER_CHUNK = 1 << 17
"""Pixels of lobes that are multiplied together on the CPU."""


@dataclass(frozen=True)
class LightCells:
    """The environment as a few distant lights of the same total flux.

    Attributes:
        directions: towards the centroid of the light, unit, float64 [cells, 3].
        flux: radiance times solid angle, linear RGB, float64 [cells, 3].
        solid_angles: float64 [cells], together 4 pi.
    """

    directions: Tensor
    flux: Tensor
    solid_angles: Tensor


@dataclass(frozen=True)
class EnvironmentMap:
    """An equirectangular picture of distant light, in Blender's mapping and world axes.

    The column is 0.5 - atan2(y, x) / 2 pi of the width, the row 0.5 - asin(z) / pi of the height.

    Attributes:
        radiance: linear RGB, [height, width, 3], row 0 on top.
    """

    radiance: NDArray[Any]

    def shrunk(self, height: int) -> EnvironmentMap:
        """The picture averaged down to at most so many rows, by a whole factor."""
        factor = max(1, self.radiance.shape[0] // height)
        rows, columns = (size // factor for size in self.radiance.shape[:2])
        parts = self.radiance[: rows * factor, : columns * factor]
        parts = parts.reshape(rows, factor, columns, factor, 3)
        return EnvironmentMap(parts.mean(axis=(1, 3)))

    def cells(self, count: int, device: torch.device | None = None) -> LightCells:
        """Sum the pixels into cells around evenly spread directions.

        Args:
            count: number of cells.
            device: of the result; the CPU if it is None.
        """
        pixels, radiance, solid_angles = _pixels_of(self, device)
        centers = torch.from_numpy(fibonacci_directions(count)).to(device)
        rows = rows_per_chunk(pixels.device, 4 * count, PIXELS_PER_CHUNK)
        towards = centers.float().T
        parts = pixels.float().split(rows)
        cell = torch.cat([(part @ towards).argmax(dim=1) for part in parts])
        light = radiance * solid_angles
        values = torch.cat([light, pixels * light.sum(dim=1, keepdim=True), solid_angles], dim=1)
        order = torch.argsort(cell, stable=True)
        starts = torch.searchsorted(cell[order], torch.arange(count + 1, device=device))
        # The same in every run, which additions by atomics are not.
        sums = torch.segment_reduce(values[order], "sum", offsets=starts, initial=0)
        flux, centroid, size = sums.split((3, 3, 1), dim=1)
        length = centroid.norm(dim=1, keepdim=True)
        directions = torch.where(length > 0, centroid / length.clamp_min(1e-30), centers)
        return LightCells(directions, flux, size[:, 0])

    @cached_property
    def _lobes(self) -> dict[tuple[float, torch.device], Tensor]:
        return {}

    def prefiltered(self, roughness: float, device: torch.device | None = None) -> Tensor:
        """What `filtered` makes, once for each roughness and device."""
        key = roughness, device or torch.device("cpu")
        if key not in self._lobes:
            self._lobes[key] = self.filtered(roughness, device)
        return self._lobes[key]

    def filtered(self, roughness: float, device: torch.device | None = None) -> Tensor:
        """Radiance reflected by a GGX lobe around each direction, seen along its axis.

        Karis 2013, eq. (8): normal, view and reflected direction are taken to be the same. All
        pixels are summed: the few samples of a lobe that a small lamp meets are no measure of it.
        The lobe is round, so that two rows of pixels meet by a circular convolution.

        Args:
            roughness: perceptual, its square is the GGX alpha.
            device: of the result; the CPU if it is None.

        Returns:
            A picture for `look_up`, float64 [3, height, width].
        """
        mirror = roughness < MIRROR_ROUGHNESS
        most = MIRROR_HEIGHT if mirror or roughness < 0.2 else 128 if roughness < 0.4 else 64
        source = self.shrunk(most)
        height, width = source.radiance.shape[:2]
        pixels, radiance, solid_angles = _pixels_of(source, device)
        if mirror:
            return radiance.view(height, width, 3).permute(2, 0, 1)
        columns = torch.cat([radiance * solid_angles, solid_angles], dim=1)
        spectrum = torch.fft.rfft(columns.view(height, width, 4), dim=1).transpose(0, 1)
        # Light upside down as well: seen from the lower half, pixels lie as from the upper one.
        spectrum = torch.cat([spectrum, spectrum.flip(1)], dim=2)
        axes = pixels.view(height, width, 3)[: (height + 1) // 2, 0]
        rows = rows_per_chunk(pixels.device, 64 * height * width, FILTERED_PER_CHUNK // len(pixels))
        filtered = []
        for axis in axes.split(max(1, rows)):
            weight = lobe(roughness, axis @ pixels.T).view(-1, height, width)
            weights = torch.fft.rfft(weight, dim=2).permute(2, 0, 1)
            total = torch.fft.irfft(weights @ spectrum, width, dim=0).permute(2, 1, 0)
            filtered.append(total.view(2, 4, -1, width))
        upper, lower = torch.cat(filtered, dim=2)
        total = torch.cat([upper, lower[:, : height // 2].flip(1)], dim=1)
        light: Tensor = total[:3] / total[3:, :, :1]
        return light


def _pixels_of(
    environment: EnvironmentMap, device: torch.device | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Directions [pixels, 3], radiance [pixels, 3] and solid angles [pixels, 1], float64."""
    directions, solid_angles = pixel_directions(*environment.radiance.shape[:2])
    columns = (directions, environment.radiance.astype(np.float64), solid_angles[..., None])
    pixels, radiance, sizes = (
        torch.from_numpy(each.reshape(-1, each.shape[-1])).to(device) for each in columns
    )
    return pixels, radiance, sizes


def look_up(picture: Tensor, directions: Tensor) -> Tensor:
    """Values of a panorama in some directions, bilinear, in the mapping of `EnvironmentMap`.

    Args:
        picture: [channels, height, width], row 0 on top.
        directions: of any length, [..., 3].

    Returns:
        [..., channels]
    """
    grid = torch.stack(panorama_grid(directions, *picture.shape[1:]), dim=-1).view(1, 1, -1, 2)
    padded = with_borders(picture)[None]
    found = F.grid_sample(padded, grid, align_corners=True, padding_mode="border")
    return found.view(-1, *directions.shape[:-1]).movedim(0, -1)


def with_borders(picture: Tensor) -> Tensor:
    """A panorama [..., width] with its last column also in front, and its first behind."""
    return torch.cat([picture[..., -1:], picture, picture[..., :1]], dim=-1)


def panorama_grid(directions: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Where directions [..., 3] are in a panorama with borders, -1..1 across and down, [...]."""
    x, y, z = directions.unbind(-1)
    column = (0.5 - torch.atan2(y, x) / (2.0 * torch.pi)) * width + 0.5
    row = (0.5 - torch.atan2(z, torch.hypot(x, y)) / torch.pi) * height - 0.5
    return column * (2.0 / (width + 1)) - 1.0, row * (2.0 / (height - 1)) - 1.0


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
