# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is varied: exposure, crops, needless tokens, and tokens that are too many."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from backend.shared.srgb import linear_to_srgb, srgb_to_linear
from backend.training.objects.augmentation import (
    COMMON_BRIGHTNESS,
    add_boxes,
    choose_corner,
    limit_tokens,
    vary_exposure,
)
from tests.training_samples import ball


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize(("light", "gain"), [(0.02, 4.0), (0.001, 10.0), (0.3, 1.0)])
def test_dark_samples_are_brightened(light, gain, generator):
    """To a common brightness, by at most 10; then varied by up to .3 stops."""
    plain = torch.full((6, 3, 24, 24), float(linear_to_srgb(torch.tensor(light).numpy())))
    found = vary_exposure(replace(ball(), images=plain), generator)
    linear = float(torch.from_numpy(srgb_to_linear(found.numpy())).mean())
    assert 2**-0.3 <= linear / (gain * light) <= 2**0.3
    assert light * gain <= max(light, COMMON_BRIGHTNESS) + 1e-9


def test_crops_are_where_the_object_is(generator):
    """A corner of the view that alone shows the object is in almost all of them."""
    mask = torch.zeros(40, 40)
    mask[30:, 32:] = 1
    corners = [choose_corner(mask, 16, generator) for _ in range(50)]
    assert all(0 <= row <= 24 and 0 <= column <= 24 for row, column in corners)
    assert sum(row + 16 > 30 and column + 16 > 32 for row, column in corners) > 45


def test_boxes_are_added_and_nothing_is_taken(generator):
    """In every instance; one that is full stays."""
    near = torch.zeros(3, 12, 12, 12, dtype=torch.bool)
    near[0, :2], near[2] = True, True
    kept = add_boxes(near, generator)
    assert bool((kept | ~near).all())
    added = (kept & ~near).flatten(1).sum(1).tolist()
    assert 8 <= added[0] <= 2 * 7**3
    assert 8 <= added[1] <= 2 * 7**3
    assert added[2] == 0


def test_a_limit_keeps_the_opaque_tokens_and_the_first_one(generator):
    """Weighted, without replacement."""
    kept = torch.ones(2, 4, 4, 4, dtype=torch.bool)
    alpha = torch.full((2, 8, 8, 8), 1e-4)
    alpha[:, 4:] = 0.9
    found = limit_tokens(kept, alpha, 40, generator)
    assert int(found.sum()) == 40
    assert bool(found[:, 0, 0, 0].all())
    assert int(found[:, 2:].sum()) > 30
    assert limit_tokens(kept, alpha, 128, generator) is kept
