# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reflections of a known light in the fit: their values, and what they do for a mirror's shape."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from backend.field.config import HALF_SIDE
from backend.materials.environment_map import EnvironmentMap, look_up, pixel_directions
from backend.materials.ggx import split_sum
from backend.mesh.isosurface import extract_isosurface
from backend.pipeline import normalize_scene
from backend.refine import novel_view_error
from backend.refine.config import Level, RefineConfig
from backend.refine.gloss import MATT_LOGIT, ROUGHNESS, Gloss, LightLobes
from backend.refine.refine import Refinement
from backend.shared.cameras import pixel_rays
from backend.shared.capture.reader import read_capture
from backend.shared.progress import Progress
from backend.shared.radiance_hdr import sample_panorama
from backend.shared.srgb import linear_to_srgb, srgb_to_linear
from backend.views.views import load_views

RADIUS = 0.4
CONFIG = RefineConfig(
    levels=(
        Level(24, 4.0, 120, (30, 60), "volsdf", 8e-3, 0.12, 0.5, 0.6),
        Level(48, 4.0, 90, (60, 200), "neus", 4e-3, 0.08, 2.0, 0.6),
    ),
    rays_per_step=2048,
)


def stripes() -> EnvironmentMap:
    """Soft bands of light in three colors, so that a mirror shows where it looks."""
    directions, _ = pixel_directions(64, 128)
    waves = 0.5 + 0.5 * np.sin(7.0 * directions + np.array([0.0, 1.0, 2.0]))
    return EnvironmentMap(0.8 * waves)


@pytest.fixture(scope="module")
def lobes() -> LightLobes:
    """The stripes, filtered."""
    return LightLobes.from_environment(stripes())


@pytest.fixture(scope="module")
def mirror_ball(tmp_path_factory, make_capture):
    """Views of a ball that mirrors the stripes and has no color of its own."""
    views = load_views(
        read_capture(make_capture(tmp_path_factory.mktemp("gloss") / "ball", 10, 64))
    )
    mirrors = [replace(view, image=_mirrored(view, normalize_scene(views))) for view in views.views]
    return replace(views, views=mirrors)


def _mirrored(view, normalization):
    """What a view sees in the mirror, [height, width, 3] sRGB."""
    pose = normalization.apply_to_pose(view.camera_to_world)
    origin, directions = pixel_rays(view.intrinsics, pose)
    directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
    along = -(directions @ origin)
    depth = along - np.sqrt((along**2 - origin @ origin + RADIUS**2).clip(0.0))
    normals = origin + depth[..., None] * directions
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    cosine = (directions * normals).sum(axis=-1, keepdims=True)
    mirrored = directions - 2.0 * cosine * normals
    radiance = 0.9 * sample_panorama(stripes().radiance, mirrored)
    return linear_to_srgb(radiance).astype(np.float32)


def test_under_a_uniform_light_the_reflected_share_is_that_of_the_table() -> None:
    """White from everywhere: radiance is F0 * scale + bias at the angle of the ray."""
    lobes = LightLobes.from_environment(EnvironmentMap(np.ones((16, 32, 3))))
    cosine = torch.tensor([0.25, 0.6, 0.95])
    normals = torch.tensor([[0.0, 0.0, 1.0]]).expand(3, 3)
    directions = torch.stack([(1 - cosine**2).sqrt(), torch.zeros(3), -cosine], 1)
    for number, roughness in enumerate(ROUGHNESS):
        level = number / (len(ROUGHNESS) - 1)
        material = torch.tensor([[0.5, 0.5, 0.5, level]]).expand(3, 4)
        found = lobes.reflect(normals, directions, material)[:, 0]
        table = split_sum(roughness, cosine)
        # Both interpolate in the same table of 32 cosines.
        np.testing.assert_allclose(found, 0.5 * table.scale + table.bias, atol=1e-4)


def test_a_smooth_mirror_shows_the_light_behind_the_viewer(lobes) -> None:
    """The reflected direction, the columns and the rows of the panorama, all axes."""
    generator = np.random.default_rng(0)
    normals = generator.normal(size=(200, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    head_on = torch.from_numpy(-normals).float()
    material = torch.tensor([[1.0, 1.0, 1.0, 0.0]]).expand(200, 4)
    found = lobes.reflect(torch.from_numpy(normals).float(), head_on, material)
    share = split_sum(ROUGHNESS[0], torch.ones(200, dtype=torch.float64))
    expected = look_up(stripes().filtered(ROUGHNESS[0]), torch.from_numpy(normals))
    expected *= (share.scale + share.bias)[:, None]
    # The light bends by at most 7^2 / 2 * 0.4 per square radian; a pixel is 2 pi / 128 wide.
    np.testing.assert_allclose(found, expected, atol=49 * 0.4 * (2 * np.pi / 128) ** 2)


def test_matt_surfaces_keep_their_color(lobes) -> None:
    """At the start the gloss adds less than one part in a hundred of the light."""
    gloss = Gloss.matt(lobes, HALF_SIDE)
    colors = torch.rand(50, 3, generator=torch.Generator().manual_seed(0))
    normals = torch.nn.functional.normalize(torch.randn(50, 3), dim=1)
    with torch.no_grad():
        shown = gloss.added_to(colors, torch.zeros(50, 3), normals, -normals)
    added = srgb_to_linear(shown.numpy()) - srgb_to_linear(colors.numpy())
    assert (added >= -1e-6).all()
    assert added.max() < 0.01
    reflectance = torch.sigmoid(torch.tensor(MATT_LOGIT)).item()
    assert gloss.mean_reflectance().item() == pytest.approx(reflectance, rel=1e-5)


def _normal_error(mirror_ball, light, monkeypatch) -> float:
    """The mean angle in degrees between the fitted ball's normals and the true ones."""
    monkeypatch.setattr(novel_view_error, "RESOLUTION", 48)
    normalization = normalize_scene(mirror_ball)
    refinement = Refinement(mirror_ball.views, normalization, HALF_SIDE, CONFIG, light)
    # A mirror has no color to be compared by; the comparison is tested elsewhere.
    monkeypatch.setattr(refinement, "_gained", lambda *_: True)
    field = refinement.run(None, Progress())
    with torch.no_grad():
        mesh = extract_isosurface(field.signed_distance, HALF_SIDE, 48, Progress())
    true = mesh.vertices / np.linalg.norm(mesh.vertices, axis=1, keepdims=True)
    cosine = (true * mesh.vertex_normals).sum(axis=1)
    return float(np.degrees(np.arccos(cosine.clip(-1.0, 1.0))).mean())


def test_a_mirror_is_smoother_when_its_light_is_known(mirror_ball, monkeypatch) -> None:
    """Without the light the fit dents the ball to explain what moves over it."""
    known = _normal_error(mirror_ball, stripes(), monkeypatch)
    unknown = _normal_error(mirror_ball, None, monkeypatch)
    assert known < 0.6 * unknown


def test_a_painted_ball_is_fitted_without_gloss(tmp_path, make_capture, monkeypatch) -> None:
    """Where held-out rays gain nothing by reflections the fit is that of an unknown light."""
    monkeypatch.setattr(novel_view_error, "RESOLUTION", 48)
    painted = load_views(read_capture(make_capture(tmp_path / "ball", 8, 48)))
    levels = tuple(replace(level, steps=30) for level in CONFIG.levels)
    fields = [
        Refinement(
            painted.views,
            normalize_scene(painted),
            HALF_SIDE,
            replace(CONFIG, levels=levels),
            light,
        ).run(None, Progress())
        for light in (stripes(), None)
    ]
    first, second = (field.volume.rows for field in fields)
    assert torch.equal(first, second)
