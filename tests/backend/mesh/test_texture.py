# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Textures from views of painted balls, on their true geometry: what is seen, hidden and unseen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from backend.field.config import HALF_SIDE
from backend.mesh.cleaning import decimate
from backend.mesh.isosurface import extract_isosurface
from backend.mesh.photo_projection import color_unseen
from backend.mesh.texture import bake_base_color, texels_of
from backend.mesh.texture_padding import fill_empty_texels
from backend.mesh.texture_size import choose_texture_size
from backend.mesh.unwrap import unwrap
from backend.mesh.view_geometry import sample_image
from backend.shared.cameras import (
    Normalization,
    fibonacci_sphere,
    intrinsics_from_fov,
    look_at,
    pixel_rays,
)
from backend.shared.capture.reader import read_capture
from backend.shared.errors import Cancelled
from backend.shared.progress import Progress
from backend.views.views import View, load_views
from tests.captures import surface_color

SAME = Normalization(center=(0.0, 0.0, 0.0), scale=1.0)
TEXTURE = 192
VIEW = 128
RAYS = 3
RED, BLUE = np.array([0.8, 0.2, 0.2]), np.array([0.2, 0.3, 0.8])
ONE = (((0.0, 0.0, 0.0), 0.4),)
TWO = (((-0.22, 0.0, 0.0), 0.18), ((0.22, 0.0, 0.0), 0.18))


def waves(points):
    """A smooth pattern `[..., 3]`, with the gradient 0.3 * 8 * sqrt(2) at most in each channel."""
    return 0.5 + 0.3 * np.sin(8 * (points + np.roll(points, 1, axis=-1)))


def red_and_blue(points):
    """Red on the side of negative x, blue on the other."""
    return np.where(points[..., :1] < 0, RED, BLUE)


def painted_view(balls, paint, background, position):
    """A view `VIEW` pixels wide of balls (center, radius), their color a function of the point."""
    lens = intrinsics_from_fov(VIEW, VIEW, np.radians(40))
    pose = look_at(position, (0, 0, 0))
    origin, rays = pixel_rays(lens.scaled(RAYS * VIEW, RAYS * VIEW), pose)
    depth = np.full(rays.shape[:2], np.inf)
    for center, radius in balls:
        a, b = (rays**2).sum(axis=-1), rays @ (origin - center)
        root = b**2 - a * (((origin - center) ** 2).sum() - radius**2)
        near = (-b - np.sqrt(root.clip(0))) / a
        depth = np.minimum(depth, np.where(root > 0, near, np.inf))
    hit = np.isfinite(depth)
    color = np.broadcast_to(np.asarray(background, float), rays.shape).copy()
    color[hit] = paint(origin + depth[hit, None] * rays[hit])
    samples = np.concatenate([color, hit[..., None]], axis=2)
    image = samples.reshape(VIEW, RAYS, VIEW, RAYS, 4).mean(axis=(1, 3)).astype(np.float32)
    return View("painted", image[..., :3], image[..., 3], lens, pose)


def painted_views(balls, paint, directions, background=(1.0, 1.0, 1.0)):
    """Views of balls along directions `[n, 3]`."""
    return [painted_view(balls, paint, background, 1.5 * direction) for direction in directions]


@pytest.fixture(scope="module")
def unwrapped_balls():
    """A function that gives the true geometry of balls, unwrapped."""
    cache = {}

    def make(balls):
        if balls not in cache:

            def distance(points):
                return torch.stack(
                    [(points - torch.tensor(c)).norm(dim=1) - radius for c, radius in balls]
                ).amin(dim=0)

            mesh = decimate(extract_isosurface(distance, HALF_SIDE, 96, Progress()), 8000)
            cache[balls] = unwrap(mesh, TEXTURE, Progress())
        return cache[balls]

    return make


def bake(unwrapped, views):
    """The texture `[TEXTURE, TEXTURE, 3]`, and its covered texels: positions and colors."""
    texture = bake_base_color(unwrapped, views, SAME, Progress())
    texels = texels_of(unwrapped)
    return texture, texels.positions.numpy(), texture.reshape(-1, 3)[texels.index.numpy()]


def test_colors_are_the_true_ones(unwrapped_balls):
    """On true geometry the texture is the paint, to what the pixels of the views resolve."""
    views = painted_views(ONE, waves, fibonacci_sphere(14))
    _, positions, colors = bake(unwrapped_balls(ONE), views)
    off = np.abs(colors - waves(positions))
    # A pixel spans 1.1 / 94 at the surface's depth of 1.1 or so, twice that where it is oblique;
    # the pattern changes by up to 3.4 a unit: half a pixel is worth 0.02, and 0.04.
    assert np.sqrt((off**2).mean()) <= 0.02
    assert np.quantile(off, 0.99) <= 0.04


def test_texels_know_their_points(unwrapped_balls):
    """Texels lie on the surface, their normals are its normals."""
    texels = texels_of(unwrapped_balls(ONE))
    radius = texels.positions.norm(dim=1)
    # Faces of 8000 on a sphere of 0.4: edges e of 0.024, middles e^2 / (2 r) below, at most.
    assert (radius - 0.4).abs().max() <= 0.024**2 / 0.8 + 1e-3
    cosine = (texels.normals * texels.positions / radius[:, None]).sum(dim=1)
    assert cosine.min() >= np.cos(0.06)


def test_hidden_points_do_not_take_the_occluder_color(unwrapped_balls):
    """A ball behind another one keeps its own color, also from the view that it is hidden in."""
    along = [[1, 0.02, 0.0], [-1, 0.02, 0.0], [0.9, 0.3, 0.1], [-0.9, -0.3, 0.1]]
    across = [[0, 1, 0.2], [0, -1, 0.2], [0.1, 0.2, 1], [0.1, 0.2, -1]]
    directions = np.array(along + across)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    views = painted_views(TWO, red_and_blue, directions)
    _, positions, colors = bake(unwrapped_balls(TWO), views)
    off = np.abs(colors - red_and_blue(positions)).max(axis=1)
    # Along the outline of the other ball, where pixels hold both colors, single texels may mix.
    assert np.quantile(off, 0.999) <= 0.02


@pytest.mark.parametrize("background", [(1.0, 1.0, 1.0), (0.0, 1.0, 0.0), (0.0, 0.0, 0.0)])
def test_background_does_not_bleed(unwrapped_balls, background):
    """No texel takes anything of a background, however bright."""
    views = painted_views(TWO, lambda p: 0 * p + RED, fibonacci_sphere(8), background)
    texture, _, _ = bake(unwrapped_balls(TWO), views)
    # What counts as object may hold 2 % of background, of which 0.8 or less differ.
    assert np.abs(texture - RED).max() <= 0.02


def test_views_that_look_straight_have_more_say(unwrapped_balls):
    """Of two views that disagree, a point takes the color of the one that faces it."""
    front, side = np.array([0.0, 0, 1]), np.array([np.sin(1.05), 0, np.cos(1.05)])
    views = [
        painted_view(ONE, lambda p: 0 * p + RED, (1, 1, 1), 1.5 * front),
        painted_view(ONE, lambda p: 0 * p + BLUE, (1, 1, 1), 1.5 * side),
    ]
    _, positions, colors = bake(unwrapped_balls(ONE), views)
    # There the other view has a cosine of 0.26 and is a fifth farther: 1 in 20 of the say, of 0.6.
    faces_front = positions @ front > 0.395
    assert faces_front.sum() > 50
    assert np.abs(colors[faces_front] - RED).max() <= 0.06


def test_unseen_points_take_a_near_color(unwrapped_balls):
    """The far side of balls that were seen from one side only continues the seen colors."""
    directions = np.array([[0, 0, 1], [0.5, 0.1, 0.8], [-0.5, 0.1, 0.8], [0, -0.5, 0.8]])
    views = painted_views(TWO, red_and_blue, directions)
    _, positions, colors = bake(unwrapped_balls(TWO), views)
    unseen = positions[:, 2] < -0.1
    assert unseen.sum() > 1000
    off = np.abs(colors - red_and_blue(positions)).max(axis=1)[unseen]
    # Where the balls almost touch the nearest seen point may be on the other one.
    assert np.quantile(off, 0.9) <= 0.02


def test_nothing_seen_is_no_error(unwrapped_balls):
    """Cameras that look away give a texture all the same, with nothing in it."""
    view = painted_view(TWO, red_and_blue, (1, 1, 1), (0, 0, 1.5))
    away = replace(view, camera_to_world=look_at((0, 0, 1.5), (0, 0, 3)))
    texture, _, _ = bake(unwrapped_balls(TWO), [away, away])
    assert np.isfinite(texture).all()


def test_seams_are_invisible(unwrapped_balls):
    """Both sides of a seam have the same color, though each is a chart of its own."""
    unwrapped = unwrapped_balls(ONE)
    texture, _, _ = bake(unwrapped, painted_views(ONE, waves, fibonacci_sphere(14)))
    image = torch.from_numpy(texture).permute(2, 0, 1)
    at = torch.from_numpy(np.stack([unwrapped.uv[:, 0], 1 - unwrapped.uv[:, 1]], axis=1)).float()
    colors = sample_image(image, at * TEXTURE).numpy()
    _, point, copies = np.unique(
        unwrapped.mesh.vertices, axis=0, return_inverse=True, return_counts=True
    )
    point = point.reshape(-1)
    mean = np.stack([np.bincount(point, colors[:, c]) for c in range(3)], axis=1) / copies[:, None]
    on_seam = copies[point] > 1
    assert on_seam.sum() > 500
    off = np.abs(colors - mean[point]).max(axis=1)[on_seam]
    # A texel is 0.015 wide, and the pattern changes by up to 3.4 a unit: half a texel is 0.025,
    # and its corner 0.036.
    assert np.quantile(off, 0.99) <= 0.04


def stripes(points):
    """Stripes along z of a period of 0.025, four pixels of a view."""
    return 0.5 + 0.4 * np.sin(points[..., 2:] * 2 * np.pi / 0.025) * np.ones(3)


def test_detail_is_not_blurred_by_mixing(unwrapped_balls):
    """Views whose poses are off by half a period of fine stripes do not cancel them."""
    directions = np.array([[np.cos(a), np.sin(a), 0.0] for a in np.arange(0, 2 * np.pi, 0.4)])
    views = painted_views(ONE, stripes, directions)
    moved = []
    for number, view in enumerate(views):
        pose = view.camera_to_world.copy()
        pose[2, 3] += 0.0125 * (number % 2)
        moved.append(replace(view, camera_to_world=pose))
    _, positions, true = bake(unwrapped_balls(ONE), views)
    _, _, mixed = bake(unwrapped_balls(ONE), moved)
    middle = np.abs(positions[:, 2]) < 0.15
    # A third of the contrast counts as smooth and is mixed; with all of it an eighth is left.
    assert mixed[middle].std() >= 0.33 * true[middle].std()


def test_textures_have_the_views_full_resolution(make_capture, tmp_path, unwrapped_balls):
    """Views that were averaged down in memory are read again as they were taken."""
    capture = read_capture(make_capture(tmp_path / "views", views=8, size=192))
    unwrapped = unwrapped_balls(ONE)

    def error(size):
        views = load_views(capture, max_size=size).views
        _, positions, colors = bake(unwrapped, views)
        return np.abs(colors - surface_color(positions)).mean()

    blurred = [view.shrunk(24) for view in load_views(capture).views]
    without_files = [replace(view, frame=None) for view in blurred]
    _, positions, colors = bake(unwrapped, without_files)
    assert error(24) <= 0.5 * np.abs(colors - surface_color(positions)).mean()


def test_views_fade_in_and_out(unwrapped_balls):
    """Where the fourth view hands over to the fifth there is no step in the color."""
    views = [
        painted_view(ONE, lambda p, n=number: 0 * p + n / 20, (1, 1, 1), 1.5 * direction)
        for number, direction in enumerate(fibonacci_sphere(20))
    ]
    unwrapped = unwrapped_balls(ONE)
    _, _, colors = bake(unwrapped, views)
    texels = texels_of(unwrapped)
    image = np.full(TEXTURE**2, np.nan)
    image[texels.index.numpy()] = colors[:, 0]
    step = np.abs(np.diff(image.reshape(TEXTURE, TEXTURE), axis=1))
    # Colors differ by up to 0.95 and fade over a good part of the ball, some 30 texels.
    assert np.nanquantile(step, 0.999) <= 0.08


def test_gutters_are_filled(unwrapped_balls):
    """No texel of the texture is empty, in a chart or between them: filtering meets only paint."""
    views = painted_views(ONE, waves, fibonacci_sphere(8))
    texture, _, _ = bake(unwrapped_balls(ONE), views)
    assert texture.shape == (TEXTURE, TEXTURE, 3)
    assert texture.min() >= 0.2 - 0.01
    assert texture.max() <= 0.8 + 0.01


def test_empty_texels_take_the_nearest_value():
    """Each empty texel becomes the nearest covered one; covered ones stay."""
    texture = np.zeros((3, 5, 1), np.float32)
    covered = np.zeros((3, 5), bool)
    texture[1, 0], texture[1, 4] = 0.3, 0.9
    covered[1, [0, 4]] = True
    filled = fill_empty_texels(texture, covered)[..., 0]
    assert filled[:, [0, 1]] == pytest.approx(0.3)
    assert filled[:, [3, 4]] == pytest.approx(0.9)
    assert np.isin(filled[:, 2], filled[1, [0, 4]]).all()
    assert (fill_empty_texels(texture, np.zeros_like(covered)) == texture).all()


@pytest.mark.parametrize("count", [1, 3, 20])
def test_unseen_points_from_few_seen_ones(count):
    """However few points were seen, the others take their colors, the nearest most."""
    x = torch.arange(count + 5.0)
    positions = torch.stack([x, 0 * x, 0 * x], dim=1)
    colors = (x[:, None] / 100).expand(-1, 3)
    seen = x < count
    filled = color_unseen(positions, torch.where(seen[:, None], colors, 0), seen)
    assert (filled[seen] == colors[seen]).all()
    assert filled[~seen].max() <= colors[count - 1].max() + 1e-6
    # The mean of all seen colors would be half of the last.
    assert filled[~seen].min() >= 0.5 * colors[count - 1].max() - 1e-6


def test_cancel(unwrapped_balls):
    """A cancel stops baking."""
    progress = Progress()
    progress.cancel()
    views = painted_views(TWO, red_and_blue, fibonacci_sphere(2))
    with pytest.raises(Cancelled):
        bake_base_color(unwrapped_balls(TWO), views, SAME, progress)


def test_texture_size_follows_the_views(unwrapped_balls):
    """Larger views make larger textures, within bounds; nearly a texel for every pixel."""
    mesh = unwrapped_balls(ONE).mesh
    view = painted_views(ONE, waves, fibonacci_sphere(1))[0]
    sizes = []
    for side in (16, 200, 400, 800, 100_000):
        lens = view.intrinsics.scaled(side, side)
        poses = [look_at(1.5 * direction, (0, 0, 0)) for direction in fibonacci_sphere(12)]
        views = [replace(view, intrinsics=lens, camera_to_world=pose) for pose in poses]
        sizes.append(choose_texture_size(mesh, views, SAME))
    assert sizes[0] == 512
    assert sizes[-1] == 4096
    assert sizes == sorted(sizes)
    assert sizes[3] == 2 * sizes[2] == 4 * sizes[1]
