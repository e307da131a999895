# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lamps near the object against the formulas of their irradiance, and what casts a shadow."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh

from backend.materials.environment_map import pixel_directions
from backend.materials.ggx import lobe, lobe_integral
from backend.materials.lamp_light import trace_lamps
from backend.materials.ray_caster import RayCaster
from backend.materials.surface_graph import SurfaceGraph
from backend.mesh.triangle_mesh import TriangleMesh
from backend.shared.cameras import Normalization
from backend.shared.capture.lamps import Lamp
from backend.shared.progress import Progress

WORLD = Normalization((1.0, 0.0, 0.0), 0.5)
"""A world whose objects are twice as large, around (1, 0, 0)."""

LAMPS = {
    # Expected irradiance at the point (1, 0, 0.6) of the world, two meters below the lamp.
    "point": (Lamp("POINT", (100.0, 50.0, 0.0), (1.0, 0.0, 2.6)), 100 / (4 * math.pi) / 4),
    "spot": (
        Lamp("SPOT", (100.0, 50.0, 0.0), (1.0, 0.0, 2.6), cone=(1.0, 0.2)),
        100 / (4 * math.pi) / 4,
    ),
    "area": (
        Lamp("AREA", (100.0, 50.0, 0.0), (1.0, 0.0, 2.6), size=(0.02, 0.02), is_round=False),
        100 / math.pi / 4,
    ),
    "sun": (Lamp("SUN", (3.0, 1.5, 0.0), size=(0.01, 0.01)), 3.0),
}


@pytest.fixture(scope="module")
def ball():
    """A sphere of radius 0.3, and its vertex on top."""
    mesh = trimesh.creation.icosphere(3, 0.3)
    graph = SurfaceGraph(TriangleMesh(np.asarray(mesh.vertices), np.asarray(mesh.faces)))
    return graph, graph.mesh.vertices[:, 2].argmax()


def traced(graph, lamp):
    """The light of one lamp."""
    return trace_lamps(graph, RayCaster(graph.mesh), (lamp,), WORLD, Progress())


@pytest.mark.parametrize("kind", LAMPS)
def test_irradiance_below_a_lamp(ball, kind):
    """As Cycles renders a white plane below a lamp of Blender; the scale of the world cancels."""
    graph, top = ball
    lamp, expected = LAMPS[kind]
    light = traced(graph, lamp)
    np.testing.assert_allclose(
        light.irradiance[top, 0], np.array([1.0, 0.5, 0.0]) * expected, rtol=0.02
    )
    np.testing.assert_allclose(light.direction[top, 0], [0.0, 0.0, 1.0], atol=0.01)
    np.testing.assert_allclose(light.irradiance[graph.vertices[:, 2] < -0.1], 0.0)


def test_a_spot_lights_its_cone_only(ball):
    """Turned away by more than half its angle, a spot is dark; at its soft edge it is dimmer."""
    graph, top = ball
    spot, full = LAMPS["spot"]

    def turned(angle):
        lamp = replace(spot, direction=(math.sin(angle), 0.0, -math.cos(angle)))
        return float(traced(graph, lamp).irradiance[top, 0, 0])

    assert turned(0.55) == 0.0
    assert 0.0 < turned(0.48) < 0.95 * full


def test_what_is_in_the_way_casts_a_shadow():
    """A small ball above a large one shades its top, softly where the lamp is large."""
    small = trimesh.creation.icosphere(3, 0.05).apply_translation([0, 0, 0.4])
    both = trimesh.util.concatenate([trimesh.creation.icosphere(4, 0.3), small])
    graph = SurfaceGraph(TriangleMesh(np.asarray(both.vertices), np.asarray(both.faces)))
    top = np.abs(graph.mesh.vertices - [0, 0, 0.3]).sum(axis=1).argmin()
    lamp = Lamp("AREA", (1.0, 1.0, 1.0), (1.0, 0.0, 2.6), size=(0.02, 0.02), is_round=False)
    assert traced(graph, lamp).irradiance[top].max() == 0.0
    large = replace(lamp, size=(6.0, 6.0))
    assert traced(graph, large).irradiance[top].max() > 0.0


@pytest.mark.parametrize("roughness", [0.25, 0.5, 0.9, 1.0])
def test_integral_of_a_lobe(roughness):
    """The closed form is the sum over fine pixels, and holds in float32."""
    directions, solid_angles = pixel_directions(512, 1024)
    weight = lobe(roughness, torch.from_numpy(directions[..., 2]))
    total = float((weight * torch.from_numpy(solid_angles.copy())).sum())
    exact = lobe_integral(torch.tensor(roughness, dtype=torch.float64))
    assert float(exact) == pytest.approx(total, rel=0.01)
    assert float(lobe_integral(torch.tensor(roughness))) == pytest.approx(float(exact), rel=1e-3)


def test_a_rough_lobe_of_a_lamp_is_wide(ball):
    """Radiance in a lobe at the lamp falls with roughness, beside it rises, and stays finite."""
    graph, top = ball
    light = traced(graph, LAMPS["point"][0]).at(torch.tensor([top]))
    peaks = torch.tensor([[[0.0, 0.0, 1.0], [math.sin(0.8), 0.0, math.cos(0.8)]]])
    sharp, rough = (light.reflected(peaks, roughness)[0, :, 0] for roughness in (0.2, 0.8))
    assert sharp[0] > 10 * rough[0]
    assert sharp[1] < 0.2 * rough[1]
    assert torch.isfinite(torch.stack([sharp, rough])).all()
