# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Distances of solids are right where they are known, and nowhere steeper than stated."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from backend.shared.cameras import fibonacci_sphere
from backend.training.synthetic.shapes.assembly import Assembler, Pose
from backend.training.synthetic.shapes.bodies import ball, block, capsule, random_body
from backend.training.synthetic.shapes.enclosing import enclose, surface_point
from backend.training.synthetic.shapes.outlines import Outline
from backend.training.synthetic.shapes.recipes import random_shape
from backend.training.synthetic.shapes.solids import (
    box,
    ellipsoid,
    extruded,
    limb,
    polygon,
    ring,
    smooth_union,
    tube,
    turned,
)

CPU = torch.device("cpu")
CYLINDER = [(-0.5, 0.0), (0.5, 0.0), (0.5, 1.0), (-0.5, 1.0)]


def points(*rows):
    return torch.tensor(rows, dtype=torch.float64)


def test_distances_of_simple_solids():
    at = points((2.0, 0.0, 0.0), (0.0, 0.0, 0.5), (0.0, 3.0, 0.5))
    assert ellipsoid(at, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)).tolist()[:2] == [1.0, -0.5]
    expected = [2.0 - 0.1, 0.5 - 0.1, (9 + 0.25) ** 0.5 - 0.1]
    found = limb(at, (0.0, 0.0, 0.0), (0.0, 0.0, -1.0), (0.1, 0.1))
    assert found.tolist() == pytest.approx(expected)
    assert ring(at, (0.0, 0.0, 0.0), 2, (1.0, 0.25)).tolist()[0] == 0.75
    assert turned(at, CYLINDER, 0.0).tolist() == pytest.approx([1.5, -0.5, 2.5])
    assert turned(at, CYLINDER, 0.25).tolist() == pytest.approx([1.25, -0.75, 2.25])


def test_a_smooth_union_only_adds():
    a, b = torch.tensor([0.3, 0.1, -0.2]), torch.tensor([0.9, 0.1, 0.5])
    joined = smooth_union([a, b], 0.2)
    assert joined.tolist() == pytest.approx([0.3, 0.05, -0.2])


def test_distances_of_built_solids():
    at = points((2.0, 0.0, 0.0), (0.0, 0.0, 0.5), (2.0, 3.0, 0.5))
    assert box(at, (1.0, 2.0, 1.0), 0.1).tolist() == pytest.approx(
        [1.0, -0.5, 1.9 * 0 + 2**0.5 * 1.1 - 0.1]
    )
    rods = tube(at, [(0.0, 0.0, 0.0), (0.0, 3.0, 0.0)], [(1.0, 0.0, 0.0), (2.0, 3.0, 0.0)], 0.25)
    assert rods.tolist() == pytest.approx([0.75, 0.25, 0.25])
    flat = at[:, :2].norm(dim=1) - 1.0
    assert extruded(flat, at[:, 2], 1.0, 0.0).tolist() == pytest.approx([1.0, -0.5, 13**0.5 - 1.0])


def test_an_outline_is_its_polygon():
    """Tabulated distances are those of the polygon inside, and a lower bound outside."""
    corners = [(-0.5, -0.4), (0.6, -0.2), (0.1, 0.1), (0.4, 0.7)]
    outline = Outline.from_corners(corners, CPU)
    x, y = (torch.rand(2, 4000, generator=torch.manual_seed(1)) * 4 - 2).unbind()
    exact, found = polygon(x, y, corners), outline.distance(x, y)
    inside = torch.maximum(x.abs(), y.abs()) < outline.reach
    assert (exact - found)[inside].abs().max() < 0.01
    assert (found - exact)[~inside].max() < 0.01
    assert found[~inside].min() > 0


@pytest.mark.parametrize("number", range(0, 60, 6))
def test_nothing_of_a_part_is_nearer_than_it_says(number):
    """Whatever is done to a body, a step of its distance stays outside, and it is in its sphere."""
    for seed in range(number, number + 6):
        random = np.random.default_rng(seed)
        assembler = Assembler(random, CPU)
        body = (random_body(random, CPU), ball(random), block(random), capsule(random))[seed % 4]
        part = assembler.part(body, Pose(0.7, rotation=assembler.any_rotation()))
        if seed % 3 == 1:
            part = assembler.bent(part)
        if seed % 5 < 2:
            part = assembler.with_relief(part, 0.5)
        if seed % 7 < 2:
            part = assembler.hollowed(part)
        generator = torch.manual_seed(seed)
        start, target = torch.randn(2, 6000, 3, generator=generator) * 0.7 * part.radius
        gap = part.distance(start)
        reached = start + 0.98 * gap[:, None] * torch.nn.functional.normalize(target - start, dim=1)
        found = part.distance(reached)[gap > 0]
        assert found.min() > -1e-4, f"{seed}: {body.solid} {part.bending} {part.relief}"
        far = 1.02 * part.radius * torch.nn.functional.normalize(start, dim=1)
        assert part.distance(far).min() > 0, f"{seed}: {body.solid}"


def test_the_sphere_around_a_shape_is_tight():
    """A thin rod far from the origin is found, and fills its sphere but for the margin."""

    def rod(at):
        return limb(at, (1.0, 0.2, 0.3), (1.6, 1.0, 0.3), (0.02, 0.02))

    found = enclose(rod, 2.2, CPU)
    assert found is not None
    assert found.center == pytest.approx((1.3, 0.6, 0.3), abs=0.04)
    assert 0.42 < 0.52 * found.scale < 0.5
    assert enclose(lambda at: at.norm(dim=1) + 1.0, 2.0, CPU) is None


def test_the_sphere_is_around_all_of_many_shapes():
    """Nothing of a shape reaches out of the sphere, wherever its farthest points are."""
    sphere = torch.from_numpy(0.499 * fibonacci_sphere(2000)).float()
    for seed in range(70, 90):
        shape = random_shape(np.random.default_rng((seed, 0, 0)), CPU)
        assert shape.distance(sphere).min() > 0, seed


def test_a_point_of_a_surface():
    """It lies on the surface, and its normal points away from it."""

    def ball_aside(at):
        return (at - at.new_tensor([0.3, 0.0, 0.0])).norm(dim=1) - 0.4

    found = surface_point(ball_aside, 0.7, np.random.default_rng(0), CPU)
    assert found is not None
    point, normal = found
    from_center = point - torch.tensor([0.3, 0.0, 0.0])
    assert float(from_center.norm()) == pytest.approx(0.4, abs=1e-3)
    assert float(from_center @ normal) == pytest.approx(0.4, abs=1e-3)


def test_attached_parts_touch():
    """A part that is attached overlaps with the one before it."""
    assembler = Assembler(np.random.default_rng(3), CPU)
    first = assembler.part(ball(assembler.random), Pose(0.5))
    for _ in range(5):
        second = assembler.attached(assembler.part(block(assembler.random), Pose(0.3)), [first])
        assert second is not None
        inside = torch.rand(200_000, 3) * 2 - 1
        both = torch.maximum(first.distance(inside), replace(second, fillet=0.0).distance(inside))
        assert both.min() < 0
