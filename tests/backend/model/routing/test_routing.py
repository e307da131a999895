# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""3D-aware routing in the situations that the golden cases avoid."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch

from backend.field.config import HALF_SIDE
from backend.model.config.presets import preset
from backend.model.preprocess import CroppedView, Window, camera_vector
from backend.model.routing.release_cameras import Cameras
from backend.model.routing.routing import (
    SurfaceMaps,
    block_centers,
    image_router,
    nearest_volume_blocks,
    volume_points,
)
from backend.model.routing.routing_tables import SparseTokens, plan_by_geometry
from backend.model.routing.selection import image_tokens, volume_tokens
from backend.model.routing.tokens import blocks_of
from backend.shared.cameras import Intrinsics, look_at, project

CONFIG = preset("tiny")
SIDE = CONFIG.sparse.patches_per_side
MAP = CONFIG.surface_map_size
FOV = math.radians(40)


def _cameras(*positions: tuple[float, float, float]) -> Cameras:
    vectors = [camera_vector(look_at(np.array(p), np.zeros(3)), FOV) for p in positions]
    return Cameras(torch.tensor(np.stack(vectors), dtype=torch.float32))


def _maps(views: int) -> SurfaceMaps:
    """Every pixel sees a point of its own on the plane z = 0, surely."""
    line = torch.linspace(-0.5, 0.5, MAP)
    y, x = torch.meshgrid(-line, line, indexing="ij")
    points = torch.stack([x, y, torch.zeros_like(x)], -1).expand(1, views, MAP, MAP, 3)
    return SurfaceMaps(points.clone(), torch.ones(1, views, MAP, MAP))


def _all_patches(views: int) -> torch.Tensor:
    return image_tokens(
        torch.ones(1, views, SIDE, SIDE, dtype=torch.bool), CONFIG.selection.block_size
    )


def test_a_block_that_sees_nothing_lies_at_twice_the_radius() -> None:
    """Kept tokens over pixels of opacity 0.2 and less count as far, also beside nearer ones."""
    maps = _maps(1)
    maps.opacity[0, 0, :16, :16] = 0.2  # the first block, all of it
    maps.opacity[0, 0, 16:32, :16] = torch.where(torch.arange(16) < 15, 1.0, 0.1)
    maps.points[0, 0, 16:32, :16] = 50.0  # the block below: far away, and a faint column
    router = image_router(_all_patches(1)[:, 1:], maps, _cameras((0, 0, 2)), CONFIG)
    near = torch.arange(16)[None]
    distance = router.surface_distance(torch.zeros(1, 3), router.views[0], near)[0]
    assert distance[0] == distance[4] == 2 * CONFIG.radius
    assert distance[5] < 0.1


def test_points_behind_the_camera_have_candidates() -> None:
    """A query behind or inside the camera still gets finite blocks of that view."""
    router = image_router(_all_patches(1)[:, 1:], _maps(1), _cameras((0, 0, 2)), CONFIG)
    query = torch.tensor([[0.1, 0.2, 5.0], [0.0, 0.0, 2.0], [0.3, 0.0, 2.0 - 1e-9]])
    table = router.table(query)
    count = CONFIG.routing.window**2
    assert ((table >= 0).sum(1) == count).all()
    assert (table[:, count:] == -1).all()


def test_empty_views_are_skipped_and_ids_run_on() -> None:
    """A view without tokens takes no block id: ids of the next view follow at once."""
    index = _all_patches(3)
    index = index[index[:, 1] != 1]
    cameras = _cameras((0, 0, 2), (2, 0, 0.1), (0, 0.1, 2))
    router = image_router(index[:, 1:], _maps(3), cameras, CONFIG)
    assert [view.number for view in router.views] == [0, 2]
    table = router.table(torch.zeros(5, 3))
    blocks = blocks_of(index, CONFIG.selection.block_size, 1, volume=False).count
    assert int(table.max()) < blocks
    assert int(table.max()) >= blocks // 2


def test_the_nearest_surface_is_selected() -> None:
    """A query on the visible plane selects the block whose pixels see its point first."""
    maps = _maps(1)
    config = dataclasses.replace(
        CONFIG, routing=dataclasses.replace(CONFIG.routing, image_blocks_per_view=1, views=1)
    )
    router = image_router(_all_patches(1)[:, 1:], maps, _cameras((0, 0, 1.45)), config)
    query = maps.points[0, 0, [5, 40, 60], [9, 20, 61]]
    assert router.table(query)[:, 0].tolist() == [0, 9, 15]


def test_nearest_volume_blocks_against_brute_force() -> None:
    """The chosen centers are the nearest ones, ids ascend, -1 fills up behind."""
    torch.manual_seed(0)
    index = volume_tokens(torch.rand(1, 8, 8, 8) < 0.3, 4)
    points = volume_points(index, 8, HALF_SIDE)
    blocks = blocks_of(index, 4, 1, volume=True)
    query = torch.rand(50, 3) - 0.5
    centers = torch.stack(
        [points[a:b].mean(0) for a, b in blocks.token_offsets.unfold(0, 2, 1).tolist()]
    )
    torch.testing.assert_close(block_centers(points, blocks), centers)
    table = nearest_volume_blocks(query, points, blocks, 3)
    best = (query[:, None] - centers).norm(dim=-1).argsort(1)[:, :3].sort(1).values
    assert torch.equal(table.long(), best)
    wide = nearest_volume_blocks(query, points, blocks, 12)
    assert torch.equal(wide[:, :8], torch.arange(8).int().expand(50, 8))
    assert (wide[:, 8:] == -1).all()


def test_instances_are_routed_alone() -> None:
    """A batch of two gives the tables that each gives alone."""
    torch.manual_seed(0)
    image = image_tokens(torch.rand(2, 2, SIDE, SIDE) < 0.5, CONFIG.selection.block_size)
    volume = volume_tokens(torch.rand(2, 32, 32, 32) < 0.02, CONFIG.selection.block_size)
    maps = SurfaceMaps(torch.rand(2, 2, MAP, MAP, 3) - 0.5, torch.rand(2, 2, MAP, MAP))
    cameras = _cameras((0, 0, 2), (2, 0, 0.1)), _cameras((0, 2, 0.1), (1, 1, 1))
    tokens = SparseTokens(image, volume, 2)
    both = plan_by_geometry(tokens, maps, cameras, CONFIG)
    for instance in range(2):
        own = SurfaceMaps(maps.points[instance, None], maps.opacity[instance, None])
        alone = plan_by_geometry(tokens.of(instance), own, (cameras[instance],), CONFIG)
        for name in ("volume_to_volume", "volume_to_image", "image_to_image", "image_to_volume"):
            queries = both.volume if name.startswith("volume") else both.image
            start, stop = queries.offsets[instance : instance + 2].tolist()
            table = getattr(both.routes, name).plan.table[:, start:stop]
            assert torch.equal(table, getattr(alone.routes, name).plan.table)


@pytest.mark.parametrize(
    ("width", "height", "window"),
    [(64, 64, (10, 58, 5, 53)), (96, 64, (0, 64, 20, 84)), (64, 96, (-8, 72, -8, 72))],
)
def test_cropped_projection_follows_the_camera(
    width: int, height: int, window: tuple[int, int, int, int]
) -> None:
    """A point projected into the crop of any frame lands where the full camera puts it.

    The release's formula counts pixels from center to center (QUIRK 11), which moves a point by
    up to half a pixel of the frame and half a pixel of the map.
    """
    fx = 80.0
    intrinsics = Intrinsics(width, height, fx, fx, width / 2 + 3, height / 2 - 5)
    pose = look_at(np.array([0.4, -1.5, 0.7]), np.zeros(3))
    points = np.random.default_rng(0).uniform(-0.2, 0.2, (20, 3))
    pixels, _ = project(points, intrinsics, pose)
    nothing = np.zeros(0, np.float32)
    view = CroppedView(*[nothing] * 5, intrinsics, pose, Window(*window))
    cameras = Cameras(
        torch.tensor(camera_vector(pose, view.field_of_view))[None].float(),
        torch.tensor([view.centered_window]).float(),
        torch.tensor([width]).float(),
    )
    size = 32
    found = cameras.project(torch.tensor(points).float(), 0, size)
    side = window[1] - window[0]
    expected = (pixels - [window[2], window[0]]) / side * size
    assert np.abs(found.numpy() - expected).max() < 0.5 + 1.0 * size / side
