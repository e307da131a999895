# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ranks that compute a step together."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch.distributed as dist

from .assignment import Policy, assign

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from .assignment import BlockWork


@dataclass(frozen=True)
class Group:
    """The ranks that compute a step together, as one of them sees it.

    Attributes:
        rank: of this process, 0 .. size - 1.
        size: number of ranks. With one, nothing is communicated.
        handle: the group of `torch.distributed`; None is its default group.
        recompute: drop the gathered keys and values of tokens after the forward, and gather them
            once more in the backward: less memory for half as much traffic again.
        in_turn: attend to the keys and values of one rank after the other, not to those of all at
            once: less memory for twice the traffic. For inference only.
        policy: how blocks are assigned to ranks.
        speeds: relative ones of the ranks; none if they are equal.
        received: bytes that this rank received from others, by collective; counts on and on.
    """

    rank: int = 0
    size: int = 1
    handle: dist.ProcessGroup | None = None
    recompute: bool = False
    in_turn: bool = False
    policy: Policy = "balanced"
    speeds: tuple[float, ...] = ()
    received: Counter[str] = field(default_factory=Counter, compare=False)

    @classmethod
    def of_process(cls, handle: dist.ProcessGroup | None = None) -> Group:
        """The group of this process; `torch.distributed` is initialized already."""
        return cls(dist.get_rank(handle), dist.get_world_size(handle), handle)

    def assign(self, streams: Sequence[BlockWork]) -> list[Tensor]:
        """The rank of every block of every stream, [blocks] int64 each, see `assignment.assign`."""
        return assign(streams, self.speeds or [1.0] * self.size, self.policy)


ALONE = Group()
"""One rank: every collective is the identity."""
