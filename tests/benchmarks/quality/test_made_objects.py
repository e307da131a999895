# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects that the quality benchmark makes itself have the shapes and materials they claim."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from benchmarks.quality.made_shapes import MADE_OBJECTS
from benchmarks.quality.object_split import MADE


@pytest.mark.parametrize("name", ["made_plain_cup", "made_patterned_bowl"])
def test_cavities_are_as_deep_as_their_opening_is_wide(name):
    distance = MADE_OBJECTS[name].signed_distance
    heights = torch.linspace(0, 1, 1001, dtype=torch.float64)
    axis = torch.stack([0 * heights, 0 * heights, heights], dim=1)
    floor = heights[distance(axis) < 0].max()
    widths = torch.linspace(0, 0.5, 501, dtype=torch.float64)
    y = torch.stack(torch.meshgrid(widths, heights, indexing="ij"), dim=-1).reshape(-1, 2)
    solid = distance(torch.stack([0 * y[:, 0], y[:, 0], y[:, 1]], dim=1)) < 0
    rim = y[solid, 1].max()
    at_rim = solid & (y[:, 1] > rim - 0.02)
    opening = 2 * y[at_rim, 0].min()
    assert rim - floor >= opening


@pytest.mark.parametrize("name", MADE)
def test_paint_is_as_the_object_claims(name):
    made = MADE_OBJECTS[name]
    at = F.normalize(torch.randn(4000, 3, generator=torch.manual_seed(0)), dim=1) * 0.4
    paint = made.paint(at + at.new_tensor([0.0, 0.0, 0.5]))
    assert paint.min() >= 0
    assert paint.max() <= 1
    colors = len(torch.unique(paint[:, :3], dim=0))
    metallic, roughness = paint[:, 4], paint[:, 3]
    if name == "made_plain_cup":
        assert colors == 1
    else:
        assert colors >= 3
    assert bool((metallic == float(name == "made_metal_figure")).all())
    assert (roughness.max() <= 0.2 + 1e-6) == ("figure" in name)
