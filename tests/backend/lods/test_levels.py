# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Levels of detail of a wavy ball: faces, colors and normals of the finest mesh on coarser ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from backend.lods.levels import make_levels
from backend.lods.tangents import tangent_space, vertex_tangents
from backend.mesh.glb import Textures
from backend.mesh.isosurface import extract_isosurface
from backend.mesh.texture import spread, texels_of
from backend.mesh.unwrap import unwrap
from backend.shared.progress import Progress

SIZE = 192
WAVES = 40.0


def height(points):
    """How far the wavy ball stands out at points [n, 3]."""
    return 0.004 * torch.sin(WAVES * points).sum(dim=1)


def wavy_ball(points):
    """Its signed distance, about."""
    return points.norm(dim=1) - 0.4 - height(points)


def color_of(points):
    """A color that varies slowly over the ball."""
    return 0.5 + points


@pytest.fixture(scope="module")
def finest():
    """The ball, and textures of it."""
    mesh = unwrap(extract_isosurface(wavy_ball, 0.5, 64, Progress()), SIZE, Progress())
    texels = texels_of(mesh)
    values = torch.cat([color_of(texels.positions), texels.positions[:, :2].abs()], dim=1)
    image = spread(values, texels)
    return mesh, Textures(image[..., :3], image[..., 3], image[..., 4])


@pytest.fixture(scope="module")
def level(finest):
    """The ball with a tenth of its faces."""
    (made,) = make_levels(*finest, [1000], Progress())
    return made


def test_a_level_has_its_faces_and_the_colors_of_the_finest(level):
    """Base color, roughness and metallic are those of the finest mesh at the same place."""
    assert 900 < len(level.mesh.mesh.faces) <= 1000
    texels = texels_of(level.mesh)
    where = np.unravel_index(texels.index.numpy(), (SIZE, SIZE))
    wanted = color_of(texels.positions).numpy()
    off = np.abs(level.textures.base_color[where] - wanted)
    assert np.quantile(off, 0.99) < 0.03
    off = np.abs(level.textures.roughness[where] - np.abs(texels.positions[:, 0].numpy()))
    assert np.quantile(off, 0.99) < 0.03


def test_the_normal_map_has_the_waves(level):
    """With the map, the shading follows the true surface closer than the coarse mesh does."""
    texels, tangents = texels_of(level.mesh), torch.from_numpy(vertex_tangents(level.mesh)).float()
    place = texels.positions.clone().requires_grad_()
    true = F.normalize(torch.autograd.grad(wavy_ball(place).sum(), place)[0], dim=1)
    where = np.unravel_index(texels.index.numpy(), (SIZE, SIZE))
    color = torch.from_numpy(level.textures.normal[where]) * 2 - 1
    mixed = texels.interpolate(tangents)
    bitangent = mixed[:, 3:].sign() * torch.linalg.cross(texels.normals, mixed[:, :3])
    shaded = color[:, :1] * mixed[:, :3] + color[:, 1:2] * bitangent + color[:, 2:] * texels.normals
    with_map = (F.normalize(shaded, dim=1) * true).sum(dim=1)
    without = (texels.normals * true).sum(dim=1)
    assert with_map.mean() > 0.99
    assert 1 - with_map.mean() < 0.3 * (1 - without.mean())


def test_own_normals_make_a_flat_map(finest):
    """In tangent space, the normal of the mesh itself points straight up."""
    mesh, _ = finest
    texels, tangents = texels_of(mesh), torch.from_numpy(vertex_tangents(mesh)).float()
    up = tangent_space(texels.normals, texels, tangents)
    assert torch.allclose(up, torch.tensor([0.0, 0.0, 1.0]).expand_as(up), atol=1e-4)


def test_levels_finer_than_the_mesh_are_left_out(finest):
    """A target that the mesh has not got makes no level, and one small map stays small."""
    mesh, textures = finest
    plain = Textures(textures.base_color, np.ones((8, 8), "f4"), np.zeros((8, 8), "f4"))
    levels = list(make_levels(mesh, plain, [10**6, 500], Progress()))
    assert [level.target for level in levels] == [500]
    assert levels[0].textures.roughness.shape == (8, 8)
