# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Made objects: none is empty, none leaves the sphere, all views show one surface."""

from __future__ import annotations

import pytest
import torch

from backend.shared.cameras import fibonacci_sphere
from backend.training.synthetic import rendering
from backend.training.synthetic.dataset import SyntheticDataset, SyntheticSettings
from backend.training.synthetic.rendering import render

from .consistency import errors_by_depth, errors_by_rays, points_of

LARGEST_ERROR = 0.5
"""Pixels."""


def check_object(dataset: SyntheticDataset, index: int) -> None:
    """All that must hold of one object."""
    with torch.no_grad():
        scene = dataset.scene(index)
        sample = render(scene, str(index)).check()
        assert sample.masks.flatten(1).sum(dim=1).min() >= 4, index
        points = torch.cat([points_of(sample, view)[0] for view in range(len(sample))])
        assert points.norm(dim=1).max() <= 0.5, index
        # The sphere would cut what is outside: its surface must be free.
        sphere = torch.from_numpy(0.499 * fibonacci_sphere(2000)).float()
        assert scene.shape.distance(sphere).min() > 0, index
        errors = errors_by_rays(sample, scene.shape)
        assert len(errors) == 0 or errors.max() <= LARGEST_ERROR, f"{index}: {errors.max()}"


def test_a_few_objects():
    """What must hold of a thousand holds of four."""
    dataset = SyntheticDataset(SyntheticSettings(views=3, size=28))
    for index in range(4):
        check_object(dataset, index)


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_a_thousand_objects():
    """A thousand objects from a thousand seeds."""
    for seed in range(1000):
        check_object(SyntheticDataset(SyntheticSettings(views=4, size=32, seed=seed)), 0)


def test_depth_of_one_view_is_that_of_another():
    """Where depth is smooth, a view finds the points of the others at the depth it has itself."""
    dataset = SyntheticDataset(SyntheticSettings(views=4, size=48))
    errors = torch.cat([errors_by_depth(dataset[index]) for index in (0, 3)])
    assert len(errors) > 2000
    assert errors.quantile(0.99) <= LARGEST_ERROR
    assert errors.median() < 0.05


def test_the_same_seed_is_the_same_sample():
    """Samples depend on seed and index alone; another seed or index is another object."""
    settings = SyntheticSettings(views=2, size=24, seed=7)
    first, again = SyntheticDataset(settings)[3], SyntheticDataset(settings)[3]
    assert first.tensors().keys() == again.tensors().keys()
    for name, tensor in first.tensors().items():
        assert torch.equal(tensor, again.tensors()[name]), name
    other = SyntheticDataset(SyntheticSettings(views=2, size=24, seed=8))[3]
    assert not torch.equal(first.images, other.images)
    assert not torch.equal(first.images, SyntheticDataset(settings)[4].images)


def test_an_object_is_the_same_at_another_size():
    """Shape, cameras and light do not change with the size of the images."""
    small, large = (
        SyntheticDataset(SyntheticSettings(views=2, size=size, seed=1))[2] for size in (24, 48)
    )
    assert torch.equal(small.camera_to_world, large.camera_to_world)
    assert torch.allclose(2 * small.intrinsics, large.intrinsics)
    pooled = torch.nn.functional.avg_pool2d(large.masks, 2)
    assert (pooled - small.masks).abs().mean() < 0.02


def test_views_in_chunks_are_the_same(monkeypatch):
    """Where memory bounds the views that are rendered at once, they look the same."""
    dataset = SyntheticDataset(SyntheticSettings(views=3, size=24, seed=1))
    whole = dataset[1]
    monkeypatch.setattr(rendering, "LATTICE_POINTS_PER_CHUNK", 1)
    parts = dataset[1]
    assert torch.equal(whole.camera_to_world, parts.camera_to_world)
    assert (whole.masks - parts.masks).abs().mean() < 0.01
    assert (whole.images - parts.images).abs().mean() < 0.01


def test_there_is_no_sample_beyond_the_last():
    with pytest.raises(IndexError):
        SyntheticDataset(SyntheticSettings(objects=3))[3]
