# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Training on several ranks: weights in shards (FSDP2), token sequences shared, gradients averaged.

Every rank has objects of its own. The loss of a step is the mean over the objects of all ranks, so
every gradient is the mean over the ranks. That holds for shared sequences, too: what a rank
computes of an object of another one is a part of a gradient, and parts add up.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

from ..parallel.group import ALONE, Group

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from torch import Tensor, nn

    from ..model.stage import Stage

STRAGGLING = 1.5
"""A rank that takes so many times as long as the median one is reported."""


@dataclass(frozen=True)
class TrainingRanks:
    """The ranks of a training, as one of them sees it.

    Attributes:
        device: of this rank.
        rank: of this process.
        size: how many there are.
        sequence: the ranks that share the tokens of their objects.
    """

    device: torch.device
    rank: int = 0
    size: int = 1
    sequence: Group = ALONE

    @classmethod
    def of_process(cls, device: torch.device, sequence_ranks: int = 1) -> TrainingRanks:
        """The ranks of this process: one, or those of torch's default process group.

        Args:
            device: of this rank.
            sequence_ranks: consecutive ranks that share the tokens of their objects.

        Raises:
            ValueError: if that does not divide the number of ranks.
        """
        size = dist.get_world_size() if dist.is_initialized() else 1
        if size % sequence_ranks:
            raise ValueError(f"{size} ranks cannot share sequences by {sequence_ranks}")
        if size == 1:
            return cls(device)
        group = ALONE
        if sequence_ranks > 1:
            own, _ = dist.new_subgroups(sequence_ranks)
            group = Group.of_process(own)
        return cls(device, dist.get_rank(), size, group)

    @property
    def is_first(self) -> bool:
        """Whether this rank writes files."""
        return self.rank == 0

    def shard(self, stage: Stage, *, bfloat16: bool) -> None:
        """Shard encoder and transformer, block by block; the small decoder stays whole.

        Args:
            stage: on the device of this rank.
            bfloat16: whether weights travel and compute in bfloat16; gradients are summed in
                float32.
        """
        if self.size == 1:
            return
        policy = MixedPrecisionPolicy(
            param_dtype=torch.bfloat16 if bfloat16 else None,
            reduce_dtype=torch.float32 if bfloat16 else None,
            cast_forward_inputs=False,
        )
        transformer = stage.transformer
        blocks = [*transformer.blocks, *transformer.skip_blocks]
        for module in (*blocks, transformer, stage.encoder):
            fully_shard(module, mp_policy=policy)

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Average the gradients of parameters that are not sharded; every one has a gradient."""
        if self.size == 1:
            return
        held = list(parameters)
        grads = [each.grad for each in held if each.grad is not None]
        joined = torch.cat([grad.flatten() for grad in grads])
        dist.all_reduce(joined)
        parts = (joined / self.size).split([grad.numel() for grad in grads])
        for each, part in zip(held, parts, strict=True):
            each.grad = part.view_as(each)

    def mean(self, values: Mapping[str, float]) -> dict[str, float]:
        """Each value, on average over the ranks that have it; all of them call it."""
        if self.size == 1:
            return dict(values)
        parts: list[Any] = [None] * self.size
        dist.all_gather_object(parts, dict(values))
        names = sorted({name for part in parts for name in part})
        return {
            name: statistics.fmean(part[name] for part in parts if name in part) for name in names
        }

    def all(self, value: float) -> list[float]:
        """The value of every rank; all of them call it."""
        if self.size == 1:
            return [value]
        own = torch.tensor([value], dtype=torch.float64, device=self.device)
        found = own.new_empty(self.size)
        dist.all_gather_into_tensor(found, own)
        values: list[float] = found.tolist()
        return values

    def barrier(self) -> None:
        """Wait for all ranks."""
        if self.size > 1:
            dist.barrier()


def stragglers(seconds: Sequence[float]) -> dict[int, float]:
    """The ranks that take much longer than the median one, and how many times as long.

    Args:
        seconds: that each rank took for its own work, without waiting for others.
    """
    median = statistics.median(seconds)
    ratios = {rank: own / median for rank, own in enumerate(seconds) if median > 0}
    return {rank: ratio for rank, ratio in ratios.items() if ratio >= STRAGGLING}


def whole_tensors(parameters: Iterable[tuple[str, Tensor]]) -> dict[str, Tensor]:
    """Named tensors, gathered from all ranks where they are sharded; all ranks call it."""
    found = {}
    for name, each in parameters:
        whole = getattr(each, "full_tensor", None)
        found[name] = (whole() if whole else each).detach().cpu()
    return found
