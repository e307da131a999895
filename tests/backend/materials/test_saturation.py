# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Base color where warm light saturates red and green before blue."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh

from backend.materials.fitting import Response, solve_base_color
from backend.materials.observations import Observations
from backend.materials.saturation import complete_saturated
from backend.materials.surface_graph import SurfaceGraph
from backend.mesh.triangle_mesh import TriangleMesh

CREAM = torch.tensor([0.8, 0.7, 0.5])
SUN = torch.tensor([1.9, 1.6, 1.1])


@pytest.fixture
def graph() -> SurfaceGraph:
    """A ball, every vertex once."""
    shape = trimesh.creation.icosphere(3, 0.4)
    return SurfaceGraph(TriangleMesh(np.asarray(shape.vertices), np.asarray(shape.faces)))


def _seen(light, color) -> tuple[Observations, torch.Tensor]:
    """Two equal views that end at 1, and the base color solved from them."""
    gain = light[:, None].expand(-1, 2, 3)
    radiance = (gain * color).clamp(0.0, 1.0)
    weight = torch.ones(radiance.shape[:2])
    seen = Observations(radiance, weight, torch.zeros_like(radiance))
    return seen, solve_base_color(Response(gain, torch.zeros_like(radiance)), seen)


def _sunlight(graph) -> torch.Tensor:
    """Irradiance over pi from a warm sun along x, and a dim sky, [vertices, 3]."""
    return 0.3 + graph.normals[:, :1].clamp_min(0.0) * SUN


def test_a_saturated_side_has_the_color_of_the_other(graph) -> None:
    """Solved alone it is green and dark; completed, it is the cream of the shadow side."""
    seen, solved = _seen(_sunlight(graph), CREAM)
    assert (solved - CREAM).abs().max() > 0.2
    completed = complete_saturated(graph, solved, seen)
    np.testing.assert_allclose(completed, CREAM.expand_as(solved), atol=1e-6)


def test_a_bright_mark_of_another_hue_keeps_what_is_known_of_it(graph) -> None:
    """Channels that are not saturated stay as they were solved, and none gets darker."""
    mark = torch.tensor([0.9, 0.5, 0.2])
    color = torch.where(graph.vertices[:, 1:2] > 0.2, mark, CREAM)[:, None]
    seen, solved = _seen(_sunlight(graph), color)
    completed = complete_saturated(graph, solved, seen)
    below = (seen.radiance < 0.96).all(dim=1)
    np.testing.assert_array_equal(completed[below], solved[below])
    assert (completed >= solved).all()
    error = [(part - color[:, 0]).abs().mean() for part in (solved, completed)]
    assert error[1] < 0.5 * error[0]


def test_like_colors_are_found_on_the_far_side(graph) -> None:
    """A yellow half in the sun is completed from yellow in the shade, not from white beside it."""
    yellow, white = torch.tensor([0.7, 0.55, 0.13]), torch.tensor([0.7, 0.72, 0.7])
    around = graph.vertices[:, 2:] > 0
    color = torch.where(around, yellow, white)[:, None]
    seen, solved = _seen(_sunlight(graph), color)
    lacking = (seen.radiance >= 0.985).flatten(1).any(dim=1) & around[:, 0]
    assert lacking.sum() > 20
    assert (color[:, 0] - solved)[lacking].max() > 0.2
    completed = complete_saturated(graph, solved, seen)
    np.testing.assert_allclose(completed[lacking], color[lacking, 0], atol=0.03)


def test_red_is_not_taken_for_white(graph) -> None:
    """Both have one ratio of green to blue; how bright these are says which it is."""
    red, white = torch.tensor([0.65, 0.1, 0.1]), torch.tensor([0.7, 0.7, 0.7])
    is_red = graph.vertices[:, 2:] > 0
    color = torch.where(is_red, red, white)[:, None]
    seen, solved = _seen(_sunlight(graph), color)
    lacking = (seen.radiance >= 0.985)[:, 0, 0] & is_red[:, 0]
    assert lacking.any()
    completed = complete_saturated(graph, solved, seen)
    np.testing.assert_allclose(completed[lacking, 0], red[0], atol=0.03)


def test_without_saturation_or_without_evidence_nothing_changes(graph) -> None:
    """Dim light, and views that are white everywhere."""
    for light in (0.3, 50.0):
        seen, solved = _seen(torch.full_like(graph.vertices, light), CREAM)
        np.testing.assert_array_equal(complete_saturated(graph, solved, seen), solved)
