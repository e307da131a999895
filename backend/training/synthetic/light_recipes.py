# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random light: skies, studios, rooms, and HDR images turned and tinted."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch

from ...materials.environment_map import EnvironmentMap, pixel_directions
from ...materials.spherical_harmonics import basis
from .light import Lamp, Light

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

HEIGHT, WIDTH = 96, 192
"""Of the panoramas."""

BRIGHTEST_LAMPS = 3
"""Of an HDR image that are taken out of it to cast shadows."""

LAMP_ANGLE = 0.12
"""Half the size in radians of what is taken out of an HDR image as one lamp."""

LAMP_CONTRAST = 6.0
"""Of the brightest pixel to the mean, below which nothing is taken out."""


def random_light(
    random: np.random.Generator, device: torch.device, panoramas: Sequence[Floats] = ()
) -> Light:
    """A light, by the random numbers alone.

    Args:
        random: of the object.
        device: of the light.
        panoramas: HDR images, [height, width, 3], linear, that light half of the objects.
    """
    if panoramas and random.random() < 0.5:
        chosen = panoramas[int(random.integers(len(panoramas)))]
        return Light.from_panorama(*_augmented(chosen, random), device)
    recipe = (_sky, _studio, _room)[int(random.integers(3))]
    directions, _ = pixel_directions(HEIGHT, WIDTH)
    return Light.from_panorama(*recipe(directions, random), device)


def _sky(directions: Floats, random: np.random.Generator) -> tuple[Floats, tuple[Lamp, ...]]:
    """A sky over ground, clear or overcast, with a sun."""
    up = directions[..., 2:]
    zenith = np.array([0.25, 0.45, 1.0]) * random.uniform(0.3, 1.0)
    horizon = np.array([1.0, 0.95, 0.9]) * random.uniform(0.5, 1.2)
    ground = np.array([0.35, 0.3, 0.22]) * random.uniform(0.2, 1.2)
    overcast = random.random()
    sky = horizon + (zenith - horizon) * up.clip(0.0, 1.0) ** 0.5
    sky = sky * (1.0 - overcast) + overcast * 0.8
    above = (0.5 + up / 0.06).clip(0.0, 1.0)
    surroundings = ground + (sky - ground) * above
    surroundings = surroundings * _clouds(directions, random)
    strength = random.uniform(0.5, 5.0) * (1.0 - overcast)
    sun = _lamp(random, elevation=(0.15, 1.4), angle=(0.02, 0.12), strength=strength)
    return surroundings, (sun,)


def _studio(directions: Floats, random: np.random.Generator) -> tuple[Floats, tuple[Lamp, ...]]:
    """Walls of one gray, darker below, and two to four soft lamps."""
    walls = random.uniform(0.15, 0.9)
    floor = random.uniform(0.3, 1.0)
    shade = 1.0 - (1.0 - floor) * (0.5 - directions[..., 2:]).clip(0.0, 1.0)
    surroundings = walls * shade * _tint(random, 0.06)
    lamps = tuple(
        _lamp(random, (-0.2, 1.4), (0.15, 0.5), float(random.uniform(0.4, 2.0)))
        for _ in range(int(random.integers(1, 4)))
    )
    return surroundings, lamps


def _room(directions: Floats, random: np.random.Generator) -> tuple[Floats, tuple[Lamp, ...]]:
    """Soft light of many colors from everywhere, windows, and a lamp."""
    weights = random.normal(size=(16, 3)) * 0.35 + random.normal(size=(16, 1)) * 0.5
    soft = basis(torch.from_numpy(directions)).numpy() @ weights
    surroundings = random.uniform(0.3, 0.7) * np.exp(0.8 * soft.clip(-3.0, 3.0))
    for _ in range(int(random.integers(1, 4))):
        surroundings = surroundings + _window(directions, random)
    strength = float(random.uniform(0.3, 2.0))
    return surroundings, (_lamp(random, (0.1, 1.4), (0.05, 0.3), strength),)


def _window(directions: Floats, random: np.random.Generator) -> Floats:
    """A bright rectangle with a cross."""
    middle = random.normal(size=3)
    middle[2] = 0.5 * abs(middle[2])
    middle /= np.linalg.norm(middle)
    right = np.cross([0.0, 0.0, 1.0], middle)
    right /= np.linalg.norm(right)
    ahead = (directions @ middle).clip(1e-3)
    x, y = directions @ right / ahead, directions @ np.cross(middle, right) / ahead
    width, height = random.uniform(0.15, 0.5, 2)
    inside = (np.abs(x) < width) & (np.abs(y) < height) & (directions @ middle > 0.1)
    bars = (np.abs(x) < 0.06 * width) | (np.abs(y) < 0.06 * height)
    shown = (inside & ~bars)[..., None]
    light: Floats = shown * random.uniform(1.0, 5.0) * _tint(random, 0.15)
    return light


def _clouds(directions: Floats, random: np.random.Generator) -> Floats:
    """Large light and dark areas, around 1."""
    waves = directions @ random.normal(size=(3, 6)) * 3.0 + random.uniform(0.0, math.tau, 6)
    found: Floats = 1.0 + 0.12 * np.sin(waves).sum(axis=-1, keepdims=True)
    return found.clip(0.3)


def _lamp(
    random: np.random.Generator,
    elevation: tuple[float, float],
    angle: tuple[float, float],
    strength: float,
) -> Lamp:
    """A lamp somewhere within limits."""
    height, turn = random.uniform(*elevation), random.uniform(0.0, math.tau)
    flat = math.cos(height)
    red, green, blue = (strength * _tint(random, 0.15)).tolist()
    direction = (flat * math.cos(turn), flat * math.sin(turn), math.sin(height))
    return Lamp(direction, float(random.uniform(*angle)), (red, green, blue))


def _tint(random: np.random.Generator, spread: float) -> Floats:
    """A color around white, from warm to cold."""
    warmth = random.uniform(-1.0, 1.0) * spread
    tint: Floats = np.array([1.0 + warmth, 1.0, 1.0 - 1.5 * warmth])
    return tint


def _augmented(panorama: Floats, random: np.random.Generator) -> tuple[Floats, tuple[Lamp, ...]]:
    """An HDR image turned, perhaps mirrored, with other strength and tint, and its lamps."""
    radiance = EnvironmentMap(panorama).shrunk(HEIGHT).radiance.astype(np.float64)
    radiance = np.roll(radiance, int(random.integers(radiance.shape[1])), axis=1)
    if random.random() < 0.5:
        radiance = radiance[:, ::-1]
    radiance = radiance * _tint(random, 0.1) * random.uniform(0.6, 1.6) / radiance.mean()
    directions, solid_angles = pixel_directions(*radiance.shape[:2])
    lamps: list[Lamp] = []
    for _ in range(BRIGHTEST_LAMPS):
        gray = radiance.mean(axis=-1)
        brightest = np.unravel_index(int(gray.argmax()), gray.shape)
        if gray[brightest] < LAMP_CONTRAST * gray.mean():
            break
        near = directions @ directions[brightest] > math.cos(LAMP_ANGLE)
        rest = np.minimum(radiance, np.median(radiance, axis=(0, 1)))
        excess = np.where(near[..., None], radiance - rest, 0.0)
        red, green, blue = (excess * solid_angles[..., None]).sum(axis=(0, 1)).tolist()
        x, y, z = directions[brightest].tolist()
        lamps.append(Lamp((x, y, z), LAMP_ANGLE, (red, green, blue)))
        radiance = radiance - excess
    return radiance, tuple(lamps)
