# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a step reads of a sample fits together: rays, depth, points, normals and materials."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from backend.training.objects.training_object import prepare, prepare_held_out
from tests.training_samples import CENTER, DENSE, RADIUS, TINY_VIEWS, ball, tiny_training


@pytest.fixture(scope="module")
def model():
    return tiny_training().model_of(DENSE)


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(3)


def turned_center(found) -> torch.Tensor:
    """The middle of the ball in the model frame."""
    return torch.tensor(CENTER) @ torch.from_numpy(found.views.frame.rotation).float()


def test_depth_along_the_rays_of_targets_is_on_the_object(model, generator):
    """Crops, sizes and the turned frame agree."""
    config = replace(TINY_VIEWS, sizes=(24, 24), crop=16)
    found = prepare(ball(), model, config, 3, generator)
    rays, depth = found.rays, found.truth.depth.flatten()
    along = depth / (rays.directions * rays.forward).sum(1)
    points = rays.origins + along[:, None] * rays.directions
    distance = (points - turned_center(found)).norm(dim=1)[depth > 0]
    assert len(distance) > 100
    assert float((distance - RADIUS).abs().max()) < 1e-4
    normals = found.truth.normals.permute(0, 2, 3, 1).reshape(-1, 3)[depth > 0]
    wanted = (points[depth > 0] - turned_center(found)) / RADIUS
    assert float((normals - wanted).abs().max()) < 1e-3


def test_points_of_input_pixels_are_on_the_object(model, generator):
    """Up to the size of a pixel, because depth is taken from the nearest one."""
    found = prepare(ball(size=96), model, TINY_VIEWS, 2, generator)
    known = found.point_mask[:, 0] > 0
    points = found.points.permute(0, 2, 3, 1)[known]
    distance = (points - turned_center(found)).norm(dim=1)
    assert found.points.shape == (2, 3, 16, 16)
    assert 0.3 < float(known.float().mean()) < 1
    assert float((distance - RADIUS).abs().median()) < 0.01


def test_held_out_views_are_targets_only(model, generator):
    """They are whole, and what is seen is spread over the others."""
    config = replace(TINY_VIEWS, sizes=(24, 24), crop=12, held_out=2, exposure=False)
    sample = ball(views=8)
    found = prepare_held_out(sample, model, config, generator)
    masks = sample.masks[[2, 6]]
    assert torch.equal(found.truth.mask[:, 0], masks)
    assert len(found.rays) == masks.numel()
    assert len(found.views.rgb) == 3
    for seed in range(4):
        drawn = prepare(sample, model, config, 3, torch.Generator().manual_seed(seed))
        starts = drawn.rays.origins @ torch.from_numpy(drawn.views.frame.rotation).float().T
        away = torch.cdist(starts, sample.camera_to_world[[2, 6], :3, 3])
        assert float(away.min()) > 0.1


def test_targets_are_over_white_and_materials_displayed(model, generator):
    """Outside of the mask everything is 1; base color is sRGB, as the decoder predicts it."""
    config = replace(TINY_VIEWS, sizes=(24, 24), crop=24, exposure=False)
    truth = prepare(ball(), model, config, 2, generator).truth
    outside = (truth.mask == 0).expand(-1, 3, -1, -1)
    assert bool((truth.rgb[outside] == 1).all())
    assert bool((truth.base_color[outside] == 1).all())
    torch.testing.assert_close(truth.rgb, truth.base_color, atol=1e-6, rtol=0)  # unlit
    assert truth.material[0, :, 12, 12].tolist() == pytest.approx([0.6, 0.2])


def test_normals_count_inside_the_outline(model, generator):
    """Not in the last pixel of it, nor where they look away."""
    config = replace(TINY_VIEWS, sizes=(24, 24), crop=24)
    truth = prepare(ball(), model, config, 2, generator).truth
    counted = truth.normal_mask > 0
    assert 0 < int(counted.sum()) < int((truth.mask == 1).sum())
    assert bool((truth.mask[counted] == 1).all())


def test_a_sample_without_depth_has_no_points(model, generator):
    """And no loss of them."""
    plain = replace(ball(), depth=None, normals=None, base_color=None, roughness=None)
    found = prepare(plain, model, TINY_VIEWS, 2, generator)
    assert found.points is None
    assert (found.truth.depth, found.truth.normals, found.truth.material) == (None, None, None)


def test_views_without_the_object_keep_one_pixel(model, generator):
    """The network cannot read an object without a token."""
    empty = replace(ball(), masks=torch.zeros(6, 24, 24))
    views = prepare(empty, model, TINY_VIEWS, 2, generator).views
    assert float(views.mask[0].sum()) > 0


def test_the_same_generator_gives_the_same_object(model):
    """A step can be taken again."""
    one, other = (
        prepare(ball(), model, TINY_VIEWS, 2, torch.Generator().manual_seed(5)) for _ in range(2)
    )
    assert torch.equal(one.rays.directions, other.rays.directions)
    assert torch.equal(one.views.rgb, other.views.rgb)
