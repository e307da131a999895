# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sparse stage over several ranks computes what one process does, gradients included."""

from __future__ import annotations

import dataclasses
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

import pytest
import torch

from backend.model.attention import OneSidedAttention
from backend.model.config.presets import preset
from backend.model.encoder import EncoderInputs
from backend.model.routing.routes import BlockTables, Plan, Routes
from backend.model.routing.routing_tables import SparseTokens, plan_by_score
from backend.model.routing.selection import image_tokens, volume_tokens
from backend.model.routing.sharing import share
from backend.model.stage import SparseBatch, Stage, run_sparse
from backend.model.stage_fusion import DenseFeatures
from benchmarks.parity.case import read_case
from benchmarks.parity.stage_cases import sparse_batch, sparse_stage
from tests.backend.parallel.shared_stage import (
    ALL_RANKS,
    Layout,
    Scene,
    compare,
    part_of,
)
from tests.ranks import on_ranks

if TYPE_CHECKING:
    from pathlib import Path

    from backend.model.config.model_config import ModelConfig, StageConfig
    from backend.parallel.group import Group

LAYOUTS = {
    "each has its own": Layout((0, 1, 2)),
    "one has all": Layout((0, 0, 0)),
    "the last has all, scattered": Layout((-1, -1, -1), "scattered"),
    "scattered and gathered again": Layout((1, 0, 1), "scattered", recompute=True),
    "no image block on the last": Layout((0, 1, 0), "no image"),
    "by cost": Layout((0, 1, 0), "balanced"),
    "no block but on the first": Layout((1, 1, 0), "first", recompute=True),
}


def tiny_model(*, geometric: bool) -> ModelConfig:
    """The preset `tiny` with hardly any width and depth."""
    base = preset("tiny")

    def smaller(stage: StageConfig) -> StageConfig:
        transformer = dataclasses.replace(
            stage.transformer, volume_resolution=8, upsample=1, width=32, depth=2, query_heads=4
        )
        encoder = dataclasses.replace(stage.encoder, patch_size=4, width=32)
        return dataclasses.replace(stage, image_size=32, encoder=encoder, transformer=transformer)

    routing = dataclasses.replace(
        base.routing, geometric=geometric, volume_blocks=3, image_blocks_per_view=2, views=2
    )
    dense, sparse = smaller(base.dense), smaller(base.sparse)
    return dataclasses.replace(base, dense=dense, sparse=sparse, routing=routing)


def tiny(routing: str = "tables") -> Scene:
    """Three instances of random tokens, one of which is a single full block."""
    torch.manual_seed(0)
    model = tiny_model(geometric=routing == "tables")
    image, volume = torch.rand(3, 2, 8, 8) < 0.4, torch.rand(3, 8, 8, 8) < 0.1
    image[1], volume[1] = False, False
    image[1, 0, :4, :4] = volume[1, :4, :4, :4] = True
    size = model.selection.block_size
    tokens = SparseTokens(image_tokens(image, size), volume_tokens(volume, size), 3)
    counts = len(tokens.volume), len(tokens.image)
    plan = plan_by_score(tokens, model)
    if routing == "tables":
        wide = model.routing.volume_blocks, model.routing.image_blocks
        tables = [
            torch.randint(-1, 5, (1, counts[query], wide[key])).int()
            for query, key in ((0, 0), (0, 1), (1, 1), (1, 0))
        ]
        routes = Routes.from_tables(plan.volume, plan.image, BlockTables(*tables))
        plan = dataclasses.replace(plan, routes=routes)
    inputs = EncoderInputs(torch.randn(3, 2, 3, 32, 32), torch.randn(3, 2, 6, 32, 32))
    features = DenseFeatures(torch.randn(counts[0], 32), torch.randn(counts[1], 64))
    batch = SparseBatch(inputs, tokens, plan, features)
    return Scene(Stage(model.sparse), batch, SparseBatch.empty(model, features.volume))


def golden(folder: Path, dtype: torch.dtype) -> Scene:
    """A golden case of the sparse stage."""
    case = read_case(folder)
    batch = sparse_batch(case)
    return Scene(sparse_stage(case), batch, part_of(batch, [])).to(dtype)


@pytest.mark.parametrize(
    ("ranks", "routing", "which"),
    [(2, "score", slice(None, None, 2)), (3, "tables", slice(1, None, 2))],
)
def test_ranks_compute_what_one_process_does(ranks, routing, which, tmp_path):
    """Voxels and all gradients, for several homes of instances and assignments of blocks."""
    compare(partial(tiny, routing), list(LAYOUTS.values())[which], [ranks], tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("routing", ["score", "tables"])
def test_all_layouts(routing, tmp_path):
    """The same with every number of ranks."""
    make = partial(tiny, routing)
    compare(make, list(LAYOUTS.values()), ALL_RANKS, tmp_path)


def check_bytes(group: Group) -> None:
    """What each layer receives is as many rows as the rank with the most has, from every other."""
    group = dataclasses.replace(group, received=Counter())
    scene = tiny()
    stage, batch = scene.stage, scene.of(group, (0, 1, 2))
    layers = [*stage.transformer.blocks, *stage.transformer.skip_blocks]
    marks = []

    def mark(*_) -> None:
        marks.append(group.received["all_gather"])

    for layer in layers:
        layer.register_forward_pre_hook(mark)
        layer.register_forward_hook(mark)
    result = run_sparse(stage, batch, group)
    uncounted = dataclasses.replace(group, received=Counter())
    plan = share(batch.plan, uncounted, stage.config.transformer).plan
    streams = plan.volume.spreads, plan.image.spreads
    tokens = max(sum(each.tokens.counts for each in streams).tolist())
    blocks = max(sum(each.blocks.counts for each in streams).tolist())
    width = stage.config.transformer.key_value_width
    wanted = []
    for layer in layers:
        directions = 1 if isinstance(layer.attention, OneSidedAttention) else 2
        rows = 2 * (tokens + directions * blocks)  # a key and a value each
        wanted.append((group.size - 1) * rows * width * 4)
    measured = [last - first for first, last in zip(marks[::2], marks[1::2], strict=True)]
    assert measured == wanted
    result.rows.sum().backward()
    assert group.received["reduce_scatter"] == sum(wanted)


def test_ranks_receive_as_many_bytes_as_the_formula_says(tmp_path):
    """Gathered rows are counted in every layer, forward and backward."""
    on_ranks(3, tmp_path, check_bytes)


def refused(group: Group) -> None:
    scene = tiny()
    batch = part_of(scene.batch, [group.rank])
    if group.rank:
        tables = [route.chosen[..., :2].mT for route in vars(batch.plan.routes).values()]
        streams = batch.plan.volume, batch.plan.image
        routes = Routes.from_tables(*streams, BlockTables(*tables))
        batch = dataclasses.replace(batch, plan=Plan(*streams, routes))
    with pytest.raises(ValueError, match="block tables differ between ranks"):
        run_sparse(scene.stage, batch, group)


def test_tables_of_different_widths_are_refused(tmp_path):
    """Ranks whose block tables do not fit together all raise, instead of waiting for each other."""
    on_ranks(2, tmp_path, refused)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", ["sparse_rgb", "sparse_brdf", "sparse_score"])
def test_ranks_compute_golden_cases(name, dtype, shared, tmp_path):
    """The cases of the sparse stage of the released model."""
    make = partial(golden, shared / "golden" / name, dtype)
    instances = make().batch.tokens.instances
    named = [LAYOUTS[each] for each in ("one has all", "by cost", "scattered and gathered again")]
    layouts = [dataclasses.replace(each, homes=each.homes[:instances]) for each in named]
    compare(make, layouts, ALL_RANKS, tmp_path)
