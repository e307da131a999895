# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which views of a sample the network sees, and by which it is judged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from ...views.selection import evenly

if TYPE_CHECKING:
    from ..settings.config import ViewConfig

NEAR = 0.717
"""Cosine of the angle between two camera positions from which on a view says enough of another."""


def choose_views(
    positions: Tensor, config: ViewConfig, inputs: int, generator: torch.Generator
) -> tuple[list[int], list[int]]:
    """Input views at random, and targets among them and the views near them.

    Args:
        positions: [views, 3] of the cameras, the object at the origin.
        config: how many targets.
        inputs: how many the network sees; fewer if there are fewer views.
        generator: of what is random.

    Returns:
        Numbers of the inputs and of the targets; a target may be an input.
    """
    order = torch.randperm(len(positions), generator=generator)
    seen = order[:inputs]
    near = _candidates(positions, order, seen, config.targets)
    pool = torch.unique(torch.cat([near, seen]))
    chosen = pool[torch.randperm(len(pool), generator=generator)[: config.targets]]
    return seen.tolist(), chosen.tolist()


def split_views(views: int, held_out: int) -> tuple[list[int], list[int]]:
    """The views that are trained on and those that are held out, evenly taken; one stays at least.

    Args:
        views: of an object.
        held_out: of them.
    """
    kept = evenly(views, min(held_out, views - 1))
    return [view for view in range(views) if view not in kept], kept


def _candidates(positions: Tensor, order: Tensor, seen: Tensor, wanted: int) -> Tensor:
    """The views near any other one that is seen, filled up in order if they are too few."""
    unit = F.normalize(positions, dim=1)
    cosine = unit @ unit[seen].T
    cosine[seen, torch.arange(len(seen))] = -1  # a view is not judged by itself alone
    near = (cosine > NEAR).any(1)
    found = order[near[order]]
    return torch.cat([found, order[~near[order]][: max(0, wanted - len(found))]])
