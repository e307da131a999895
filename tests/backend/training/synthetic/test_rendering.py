# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A ball under known light is rendered as it can be computed."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
import torch

from backend.materials.environment_map import look_up
from backend.shared.cameras import Normalization
from backend.shared.srgb import srgb_to_linear
from backend.training.synthetic.cameras import random_cameras
from backend.training.synthetic.light import Lamp, Light
from backend.training.synthetic.light_recipes import random_light
from backend.training.synthetic.paints.paint import Coat, Paint
from backend.training.synthetic.rendering import Scene, render
from backend.training.synthetic.shapes.shape import Part, Shape
from backend.training.synthetic.shapes.solids import ellipsoid
from backend.training.synthetic.tracing import lamp_visibility

CPU = torch.device("cpu")
RADIUS = 0.4
EVEN = np.full((32, 64, 3), 0.7)


def ball(coat: Coat) -> Shape:
    """A ball in the middle, of one material."""
    solid = partial(ellipsoid, center=(0.0, 0.0, 0.0), radii=(RADIUS, RADIUS, RADIUS))
    part = Part(solid, RADIUS, Paint(coat), torch.zeros(3), torch.eye(3))
    return Shape((part,), (), Normalization((0.0, 0.0, 0.0), 1.0))


def rendered(coat: Coat, light: Light, size: int = 64):
    cameras = random_cameras(np.random.default_rng(2), 3, size)
    return render(Scene(ball(coat), light, cameras, 0.5), "ball")


def test_geometry_of_a_ball():
    """Depth, normals, coverage and materials are exact."""
    coat = Coat((0.2, 0.4, 0.1), 0.3, 1.0)
    sample = rendered(coat, Light.from_panorama(EVEN, (), CPU))
    covered = sample.depth > 0
    view, row, column = torch.nonzero(covered, as_tuple=True)
    fx, fy, cx, cy = sample.intrinsics[view].T
    depth = sample.depth[covered]
    local = torch.stack([(column + 0.5 - cx) / fx, (cy - row - 0.5) / fy, 0 * depth - 1], 1)
    pose = sample.camera_to_world[view]
    points = (pose[:, :3, :3] @ (local * depth[:, None])[..., None])[..., 0] + pose[:, :3, 3]
    assert (points.norm(dim=1) - RADIUS).abs().max() < 1e-3
    normals = sample.normals.permute(0, 2, 3, 1)[covered]
    assert ((normals * points).sum(dim=1) / RADIUS).min() > 0.99
    assert sample.roughness[covered].unique().tolist() == pytest.approx([0.3])
    assert sample.metallic[covered].unique().tolist() == [1.0]
    base = sample.base_color.permute(0, 2, 3, 1)[covered]
    assert base.unique(dim=0)[0].tolist() == pytest.approx(coat.base_color)
    assert bool((sample.masks[covered] > 0).all())
    distance = sample.camera_to_world[:, :3, 3].norm(dim=1)
    angle = torch.asin(RADIUS / distance)
    area = math.pi * (sample.intrinsics[:, 0] * torch.tan(angle)) ** 2
    assert sample.masks.sum(dim=(1, 2)).tolist() == pytest.approx(area.tolist(), rel=0.02)


def test_even_light_shows_no_shape():
    """A matt ball in even light is even but for what grazing angles reflect."""
    sample = rendered(Coat((0.5, 0.5, 0.5), 1.0, 0.0), Light.from_panorama(EVEN, (), CPU))
    inner = sample.depth > 0
    inner &= torch.from_numpy(np.abs(np.gradient(sample.masks.numpy(), axis=2)) < 1e-6)
    shown = srgb_to_linear(sample.images[:, 0][inner].numpy())
    assert np.percentile(shown, 95) / np.percentile(shown, 5) < 1.25


def test_a_mirror_shows_even_light_as_it_is():
    """A white mirror sends back what arrives: the ball is as bright as the background."""
    sample = rendered(Coat((1.0, 1.0, 1.0), 0.1, 1.0), Light.from_panorama(EVEN, (), CPU))
    middle = sample.images[:, 0, 32, 32]
    corner = sample.images[:, 0, 0, 0]
    assert torch.allclose(middle, corner, atol=0.03)


def test_a_lamp_lights_its_side():
    """A lamp on +z lights the upper half of a matt ball, and leaves the lower one in shadow."""
    lamp = Lamp((0.0, 0.0, 1.0), 0.3, (3.0, 3.0, 3.0))
    light = Light.from_panorama(np.zeros((32, 64, 3)), (lamp,), CPU)
    sample = rendered(Coat((0.6, 0.6, 0.6), 1.0, 0.0), light)
    up = sample.normals[:, 2]
    covered = (sample.depth > 0) & (sample.masks == 1)
    bright, dark = (
        sample.images[:, 0][covered & (up > 0.5)],
        sample.images[:, 0][covered & (up < -0.4)],
    )
    assert bright.min() > 0.2
    assert dark.max() < 0.05
    towards = torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]])
    assert look_up(light.background, towards)[:, 0].tolist() == pytest.approx(
        [3.0 / (2 * math.pi * (1 - math.cos(0.3))), 0.0], rel=0.2
    )


def test_shadows_of_a_lamp():
    """Below a ball it is dark, beside it bright, and at the border of the shadow half of both."""
    shape = ball(Coat((0.5, 0.5, 0.5), 1.0, 0.0))
    at = torch.tensor([[0.0, 0.0, -0.45], [0.45, 0.0, -0.1], [RADIUS + 0.001, 0.0, -0.25]])
    found = lamp_visibility(shape.distance, at, torch.tensor([0.0, 0.0, 1.0]), 0.1)
    assert found[0] < 0.02
    assert found[1] > 0.9
    assert 0.2 < found[2] < 0.8


def test_irradiance_of_even_light():
    """Pi times the radiance, on any surface; in any lobe it is the radiance itself."""
    light = Light.from_panorama(EVEN, (), CPU)
    directions = torch.nn.functional.normalize(torch.randn(50, 3), dim=1)
    assert torch.allclose(light.irradiance_on(directions), torch.tensor(0.7 * math.pi), rtol=0.01)
    lobes = light.in_lobes(directions, torch.linspace(0.05, 1, 50))
    assert torch.allclose(lobes, torch.tensor(0.7), rtol=0.01)


def test_directions_in_a_panorama():
    """The colors of a panorama are found again in the directions of its pixels."""
    picture = torch.rand(3, 16, 32)
    x, y = torch.cos(torch.tensor(math.pi / 32)), torch.sin(torch.tensor(math.pi / 32))
    height = torch.tensor(0.5 * math.pi / 16)
    flat = torch.cos(height)
    direction = torch.stack([flat * x, flat * y, torch.sin(height)])[None]
    assert torch.allclose(look_up(picture, direction)[0], picture[:, 7, 15], atol=1e-4)


def test_random_light_shines():
    """Every light has some, and an HDR image gives its brightest spot to a lamp."""
    for seed in range(12):
        light = random_light(np.random.default_rng(seed), CPU)
        assert bool(torch.isfinite(light.reflected).all())
        assert light.background.mean() > 0.02
    spot = np.full((32, 64, 3), 0.1)
    spot[8, 20] = 500.0
    lamps = [random_light(np.random.default_rng(seed), CPU, [spot]).lamps for seed in range(12)]
    assert any(len(found) == 1 and found[0].angle == pytest.approx(0.12) for found in lamps)
