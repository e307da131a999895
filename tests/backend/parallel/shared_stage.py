# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sparse stage over ranks against one process: what both compute, and how to compare it."""

from __future__ import annotations

import dataclasses
import math
from contextlib import contextmanager
from typing import TYPE_CHECKING
from unittest import mock

import numpy as np
import torch

from backend.model.encoder import EncoderInputs
from backend.model.routing.routes import BlockTables, Plan, PlannedRoute, Routes
from backend.model.routing.routing_tables import SparseTokens
from backend.model.routing.tokens import Stream, instance_offsets
from backend.model.stage import SparseBatch, run_sparse
from backend.model.stage_fusion import DenseFeatures
from backend.parallel.assignment import POLICIES
from backend.parallel.group import ALONE, Group
from kernels.core.blocks import Blocks
from kernels.core.segments import offsets_of_sizes
from tests.ranks import on_ranks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from backend.model.stage import Stage


ALL_RANKS = (1, 2, 3, 4)
TOLERANCE = {"float32": 1e-5, "float64": 1e-11}
"""Of the Euclidean norm of all voxels, or all gradients of images or of weights. Single gradients
may be further off in float32: a norm before a token of hardly any length magnifies rounding."""


@dataclasses.dataclass(frozen=True)
class Scene:
    """Some instances and the stage that computes them.

    Attributes:
        stage: with its weights.
        batch: of all instances.
        empty: of none.
    """

    stage: Stage
    batch: SparseBatch
    empty: SparseBatch

    def of(self, group: Group, homes: Sequence[int]) -> SparseBatch:
        """What a rank has, given the rank of every instance, modulo the number of ranks."""
        own = [i for i, home in enumerate(homes) if home % group.size == group.rank]
        return part_of(self.batch, own) if own else self.empty

    def to(self, dtype: torch.dtype) -> Scene:
        """The same with weights and inputs of another type."""
        return Scene(self.stage.to(dtype), *(_to(each, dtype) for each in (self.batch, self.empty)))


def _to(batch: SparseBatch, dtype: torch.dtype) -> SparseBatch:
    inputs = EncoderInputs(*(t if t is None else t.to(dtype) for t in vars(batch.inputs).values()))
    features = batch.features
    if features is not None:
        features = DenseFeatures(features.volume.to(dtype), features.image.to(dtype))
    return dataclasses.replace(batch, inputs=inputs, features=features)


@dataclasses.dataclass(frozen=True)
class Layout:
    """Who has the instances, and who computes their blocks.

    Attributes:
        homes: the rank of every instance, modulo the number of ranks.
        assignment: a policy; "scattered", block by block; "first", all on rank 0; or "no
            image", no image block on the last rank.
        recompute: gather keys once more in the backward.
    """

    homes: Sequence[int]
    assignment: str = "contiguous"
    recompute: bool = False


def outcome(
    make: Callable[[], Scene], layout: Layout, group: Group, *, gradients: bool = True
) -> dict[str, NDArray]:
    """What the stage makes of the instances of this rank, and all gradients.

    The first word of a name is its kind: voxels, images or weight.
    """
    scene = make()
    policy = layout.assignment if layout.assignment in POLICIES else group.policy
    group = dataclasses.replace(group, recompute=layout.recompute, policy=policy)
    own = [i for i, home in enumerate(layout.homes) if home % group.size == group.rank]
    batch = scene.of(group, layout.homes)
    images = batch.inputs.images.requires_grad_(gradients)
    with assigned(layout.assignment, group), torch.set_grad_enabled(gradients):
        result = run_sparse(scene.stage, batch, group)
    found = {f"voxels {i}": result.of(number)[0] for number, i in enumerate(own)}
    if gradients:
        pattern = torch.cos(torch.arange(result.rows.shape[1]) + 1.0).to(result.rows)
        (result.rows.square() * pattern).sum().backward()
        found |= {f"images {i}": images.grad[number] for number, i in enumerate(own)}
        found |= _gradients_of_weights(scene.stage, group)
    return {name: tensor.detach().numpy() for name, tensor in found.items()}


def _gradients_of_weights(stage: Stage, group: Group) -> dict[str, torch.Tensor]:
    """The sums over all ranks."""
    found = {name: each.grad for name, each in stage.named_parameters() if each.grad is not None}
    if group.size > 1:
        for gradient in found.values():
            torch.distributed.all_reduce(gradient)
    return {f"weight {name}": gradient for name, gradient in found.items()}


def outcomes(
    make: Callable[[], Scene], layouts: Sequence[Layout], group: Group
) -> list[dict[str, NDArray]]:
    """What a rank computes in every layout."""
    return [outcome(make, each, group) for each in layouts]


def compare(
    make: Callable[[], Scene],
    layouts: Sequence[Layout],
    rank_counts: Sequence[int],
    folder: Path,
    seconds: float = 240.0,
) -> None:
    """Check every layout on so many ranks against one process."""
    wanted = outcome(make, Layout(layouts[0].homes), ALONE)
    for ranks in rank_counts:
        of_ranks = on_ranks(ranks, folder, outcomes, make, layouts, seconds=seconds)
        for layout, parts in zip(layouts, zip(*of_ranks, strict=True), strict=True):
            found = {name: array for part in parts for name, array in part.items()}
            check_equal(found, wanted, f"{ranks} ranks, {layout}")


def check_equal(found: dict[str, NDArray], wanted: dict[str, NDArray], what: str = "") -> None:
    """Check all arrays of a result against those of one process."""
    assert sorted(found) == sorted(wanted)
    for kind in ("voxels", "images", "weight"):
        names = [name for name in wanted if name.startswith(kind)]
        error = _norm([found[name] - wanted[name] for name in names])
        scale = _norm([wanted[name] for name in names])
        allowed = scale * max((TOLERANCE[str(wanted[name].dtype)] for name in names), default=0.0)
        assert error <= allowed, f"{what}: {kind} differ by {error / scale}"


def _norm(arrays: Sequence[NDArray]) -> float:
    return math.sqrt(sum(float(np.square(each, dtype=np.float64).sum()) for each in arrays))


def part_of(batch: SparseBatch, instances: Sequence[int]) -> SparseBatch:
    """Some instances of a batch; of none, what a rank has that only helps others."""
    tokens, plan, inputs, features = batch.tokens, batch.plan, batch.inputs, batch.features
    rows = [_rows(index, instances) for index in (tokens.image, tokens.volume)]
    image, volume = (
        _renumbered(index[kept], instances)
        for index, kept in zip((tokens.image, tokens.volume), rows, strict=True)
    )
    own = SparseTokens(image, volume, len(instances))
    streams = (
        _stream(plan.volume, rows[1], volume, instances),
        _stream(plan.image, rows[0], image, instances),
    )
    return SparseBatch(
        EncoderInputs(*(None if t is None else t[list(instances)] for t in vars(inputs).values())),
        own,
        Plan(*streams, _routes(plan.routes, streams, rows)),
        features and DenseFeatures(features.volume[rows[1]], features.image[rows[0]]),
    )


def _rows(index: torch.Tensor, instances: Sequence[int]) -> torch.Tensor:
    found = [torch.nonzero(index[:, 0] == instance)[:, 0] for instance in instances]
    return torch.cat([torch.zeros(0, dtype=torch.int64), *found])


def _renumbered(index: torch.Tensor, instances: Sequence[int]) -> torch.Tensor:
    number = torch.full((max([*instances, 0]) + 1,), -1)
    number[list(instances)] = torch.arange(len(instances))
    return torch.cat([number[index[:, :1].long()].to(index), index[:, 1:]], 1)


def _stream(
    whole: Stream, rows: torch.Tensor, index: torch.Tensor, instances: Sequence[int]
) -> Stream:
    first, sizes = whole.blocks.instance_offsets.tolist(), whole.blocks.token_offsets.diff()
    counts = torch.tensor([first[i + 1] - first[i] for i in instances], dtype=torch.int64)
    kept = [torch.arange(first[i], first[i + 1]) for i in instances]
    sizes = sizes[torch.cat([torch.zeros(0, dtype=torch.int64), *kept])]
    blocks = Blocks(offsets_of_sizes(sizes).int(), offsets_of_sizes(counts).int())
    order = None
    if whole.order is not None:
        order = torch.argsort(torch.argsort(whole.order)[rows])
    return Stream(instance_offsets(index, len(instances)), blocks, order)


def _routes(whole: Routes, streams: tuple[Stream, Stream], rows: Sequence[torch.Tensor]) -> Routes:
    if not isinstance(whole.volume_to_volume, PlannedRoute):
        counts = whole.volume_to_volume.count, whole.volume_to_image.count
        return Routes.by_score(*streams, volume_blocks=counts[0], image_blocks=counts[1])
    tables = [
        route.plan.table[:, rows[1 if name.startswith("volume") else 0]]
        for name, route in vars(whole).items()
    ]
    return Routes.from_tables(*streams, BlockTables(*tables))


@contextmanager
def assigned(assignment: str, group: Group) -> Iterator[None]:
    """Let another function assign blocks to ranks."""
    if assignment in POLICIES:
        yield
        return

    def assign(_, streams):
        return [_ranks(len(each.tokens), number) for number, each in enumerate(streams)]

    def _ranks(count: int, stream: int) -> torch.Tensor:
        if assignment == "first":
            return torch.zeros(count, dtype=torch.int64)
        scattered = (torch.arange(count) * 7 + stream) % group.size
        last = group.size - 1
        return scattered.clamp_max(last - 1) if assignment == "no image" and stream else scattered

    with mock.patch.object(Group, "assign", assign):
        yield
