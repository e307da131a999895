# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows move from the ranks that have them to those that need them: one all-to-all, and back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch

from .collectives import all_to_all, true_on_any
from .group import ALONE
from .spread import Spread

if TYPE_CHECKING:
    from torch import Tensor

    from .group import Group


@dataclass(frozen=True)
class Exchange:
    """Moves the rows of a global list from one spread to another.

    Attributes:
        before: which rank has each row.
        after: which rank gets it.
        group: of these ranks.
    """

    before: Spread
    after: Spread
    group: Group

    def move(self, rows: Tensor) -> Tensor:
        """The rows that this rank has before, [rows, ...], to those that it has after.

        Differentiable; the backward is the way back. One rank keeps its rows.
        """
        if self.group.size == 1:
            return rows
        if torch.is_grad_enabled() and rows.is_floating_point():
            wanted = true_on_any(rows.requires_grad, self.group, rows.device)
            if wanted and not rows.requires_grad:  # else this rank would miss the backward
                rows = rows.detach().requires_grad_()
        return all_to_all(rows[self._sent], *self._counts, self.group)[self._arrived]

    @classmethod
    def identity(cls) -> Exchange:
        """What one rank does with its rows: nothing."""
        nothing = Spread(torch.zeros(0, dtype=torch.int64), 1)
        return cls(nothing, nothing, ALONE)

    @property
    def inverse(self) -> Exchange:
        """The way back."""
        return Exchange(self.after, self.before, self.group)

    @cached_property
    def _sent(self) -> Tensor:
        """Rows that this rank has before, those for rank 0 first."""
        return torch.argsort(self.after.rank[self.before.on(self.group.rank)], stable=True)

    @cached_property
    def _arrived(self) -> Tensor:
        """For each row that this rank has after, where among all that arrive, rank 0's first."""
        came_from = self.before.rank[self.after.on(self.group.rank)]
        return torch.argsort(torch.argsort(came_from, stable=True))

    @cached_property
    def _counts(self) -> tuple[list[int], list[int]]:
        """Rows sent to every rank, and received from every rank."""
        rank, size = self.group.rank, self.group.size
        sent = torch.bincount(self.after.rank[self.before.on(rank)], minlength=size)
        received = torch.bincount(self.before.rank[self.after.on(rank)], minlength=size)
        return sent.tolist(), received.tolist()
