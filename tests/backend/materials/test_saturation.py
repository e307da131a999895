# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Base color where warm light saturates red and green before blue."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from backend.materials.fitting import Response, solve_base_color
from backend.materials.observations import Observations
from backend.materials.saturation import complete_saturated
from backend.materials.surface_graph import SurfaceGraph
from backend.mesh.triangle_mesh import TriangleMesh

CREAM = np.array([0.8, 0.7, 0.5])
SUN = np.array([1.9, 1.6, 1.1])


@pytest.fixture
def graph() -> SurfaceGraph:
    """A ball, every vertex once."""
    shape = trimesh.creation.icosphere(3, 0.4)
    return SurfaceGraph(TriangleMesh(np.asarray(shape.vertices), np.asarray(shape.faces)))


def _seen(graph, light, color) -> tuple[Observations, np.ndarray]:
    """Two equal views that end at 1, and the base color solved from them."""
    gain = np.repeat(light[:, None], 2, axis=1)
    radiance = (gain * color).clip(0.0, 1.0)
    weight = np.ones(radiance.shape[:2])
    seen = Observations(radiance, weight, np.zeros_like(radiance))
    solved = solve_base_color(Response(gain, np.zeros_like(gain)), radiance, weight)
    return seen, solved


def _sunlight(graph) -> np.ndarray:
    """Irradiance over pi from a warm sun along x, and a dim sky, [vertices, 3]."""
    return 0.3 + graph.mesh.vertex_normals[:, :1].clip(0.0) * SUN


def test_a_saturated_side_has_the_color_of_the_other(graph) -> None:
    """Solved alone it is green and dark; completed, it is the cream of the shadow side."""
    seen, solved = _seen(graph, _sunlight(graph), CREAM)
    assert np.abs(solved - CREAM).max() > 0.2
    completed = complete_saturated(graph, solved, seen)
    np.testing.assert_allclose(completed, np.broadcast_to(CREAM, solved.shape), atol=1e-6)


def test_a_bright_mark_of_another_hue_keeps_what_is_known_of_it(graph) -> None:
    """Channels that are not saturated stay as they were solved, and none gets darker."""
    color = np.where(graph.mesh.vertices[:, 1:2] > 0.2, [0.9, 0.5, 0.2], CREAM)[:, None]
    seen, solved = _seen(graph, _sunlight(graph), color)
    completed = complete_saturated(graph, solved, seen)
    below = (seen.radiance < 0.96).all(axis=1)
    np.testing.assert_array_equal(completed[below], solved[below])
    assert (completed >= solved).all()
    error = [np.abs(part - color[:, 0]).mean() for part in (solved, completed)]
    assert error[1] < 0.5 * error[0]


def test_like_colors_are_found_on_the_far_side(graph) -> None:
    """A yellow half in the sun is completed from yellow in the shade, not from white beside it."""
    yellow, white = np.array([0.7, 0.55, 0.13]), np.array([0.7, 0.72, 0.7])
    around = graph.mesh.vertices[:, 2:] > 0
    color = np.where(around, yellow, white)[:, None]
    seen, solved = _seen(graph, _sunlight(graph), color)
    lacking = (seen.radiance >= 0.985).any(axis=(1, 2)) & around[:, 0]
    assert lacking.sum() > 20
    assert (color[:, 0] - solved)[lacking].max() > 0.2
    completed = complete_saturated(graph, solved, seen)
    np.testing.assert_allclose(completed[lacking], color[lacking, 0], atol=0.03)


def test_red_is_not_taken_for_white(graph) -> None:
    """Both have one ratio of green to blue; how bright these are says which it is."""
    red, white = np.array([0.65, 0.1, 0.1]), np.array([0.7, 0.7, 0.7])
    is_red = graph.mesh.vertices[:, 2:] > 0
    color = np.where(is_red, red, white)[:, None]
    seen, solved = _seen(graph, _sunlight(graph), color)
    lacking = (seen.radiance >= 0.985)[:, 0, 0] & is_red[:, 0]
    assert lacking.any()
    completed = complete_saturated(graph, solved, seen)
    np.testing.assert_allclose(completed[lacking, 0], red[0], atol=0.03)


def test_without_saturation_or_without_evidence_nothing_changes(graph) -> None:
    """Dim light, and views that are white everywhere."""
    for light in (0.3, 50.0):
        seen, solved = _seen(graph, np.full((len(graph.mesh.vertices), 3), light), CREAM)
        np.testing.assert_array_equal(complete_saturated(graph, solved, seen), solved)
