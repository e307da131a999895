# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Targets are inputs or views near one, as long as there are enough."""

from __future__ import annotations

import pytest
import torch

from backend.shared.cameras import fibonacci_sphere
from backend.training.objects.view_choice import NEAR, choose_views, split_views
from backend.training.settings.config import ViewConfig

POSITIONS = 2 * torch.from_numpy(fibonacci_sphere(24)).float()


@pytest.mark.parametrize("seed", range(5))
def test_targets_are_near_the_inputs(seed):
    """Within 44 degrees of one of them."""
    generator = torch.Generator().manual_seed(seed)
    inputs, targets = choose_views(POSITIONS, ViewConfig(targets=4), 3, generator)
    assert (len(set(inputs)), len(set(targets))) == (3, 4)
    cosine = POSITIONS[targets] @ POSITIONS[inputs].T / 4
    assert bool((cosine.amax(1) > NEAR).all())


def test_too_few_near_views_are_filled_up():
    """Three opposite directions are near to nothing."""
    far = torch.tensor([[1.0, 0, 0], [-1, 0, 0], [0, 1, 0]])
    generator = torch.Generator().manual_seed(0)
    inputs, targets = choose_views(far, ViewConfig(targets=2), 1, generator)
    assert len(inputs) == 1
    assert len(set(targets)) == 2


def test_all_views_may_be_inputs():
    """Then targets are among them; more cannot be chosen than there are."""
    generator = torch.Generator().manual_seed(0)
    inputs, targets = choose_views(POSITIONS[:4], ViewConfig(targets=6), 9, generator)
    assert sorted(inputs) == [0, 1, 2, 3]
    assert sorted(targets) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("views", "held_out", "kept"), [(8, 2, [2, 6]), (3, 9, [0, 2]), (4, 0, [])]
)
def test_views_are_held_out_evenly(views, held_out, kept):
    """Each is in one of both parts, and one is trained on at least."""
    trained, found = split_views(views, held_out)
    assert found == kept
    assert sorted(trained + found) == [*range(views)]
