# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real object on several ranks: the tokens and the routing of its visual hull at 96^3."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import TYPE_CHECKING

import pytest
import torch

from backend.model.config.presets import preset
from backend.model.encoder import EncoderInputs
from backend.model.routing.routes import BlockTables, Plan, Routes
from backend.model.stage import SparseBatch, Stage
from backend.model.stage_fusion import DenseFeatures
from benchmarks.kernels.layer import plan_of
from benchmarks.kernels.scene import scene_of, views_of
from tests.backend.parallel.shared_stage import ALL_RANKS, Layout, Scene, compare, part_of

if TYPE_CHECKING:
    from pathlib import Path

    from backend.model.config.model_config import StageConfig

RESOLUTION, VIEWS = 96, 8
VOLUME_BLOCKS, IMAGE_BLOCKS = 4, 8
"""Selected per query: fewer than released, for time."""


def narrow() -> StageConfig:
    """The released sparse stage, with a layer of each kind and hardly any width."""
    sparse = preset("lsrm-rgb").sparse
    transformer = dataclasses.replace(
        sparse.transformer, width=16, depth=1, query_heads=2, skip_links=(0,), upsample=1
    )
    encoder = dataclasses.replace(sparse.encoder, width=16, feature_width=0)
    return dataclasses.replace(sparse, encoder=encoder, transformer=transformer)


def store_object(capture: Path, file: Path) -> int:
    """Route the object once for all ranks; returns the number of tokens."""
    views, name = views_of(capture)
    shown = dataclasses.replace(views, views=views.views[:: len(views.views) // VIEWS][:VIEWS])
    scene = scene_of(shown, name, RESOLUTION)
    plan = plan_of(scene)
    kept = VOLUME_BLOCKS, IMAGE_BLOCKS, IMAGE_BLOCKS, VOLUME_BLOCKS
    tables = [
        route.plan.table[..., :count]
        for route, count in zip(vars(plan.routes).values(), kept, strict=True)
    ]
    torch.save((scene.tokens, (plan.volume, plan.image), tables), file)
    return len(scene.tokens.volume) + len(scene.tokens.image)


def stored_object(file: Path) -> Scene:
    """The object with random pixels, rays, features and weights."""
    tokens, streams, tables = torch.load(file, weights_only=False)
    plan = Plan(*streams, Routes.from_tables(*streams, BlockTables(*tables)))
    torch.manual_seed(0)
    config = narrow()
    size, width = config.image_size, config.transformer.width
    inputs = EncoderInputs(torch.rand(1, VIEWS, 3, size, size), torch.rand(1, VIEWS, 6, size, size))
    features = DenseFeatures(
        torch.randn(len(tokens.volume), width), torch.randn(len(tokens.image), 2 * width)
    )
    batch = SparseBatch(inputs, tokens, plan, features)
    return Scene(Stage(config), batch, part_of(batch, []))


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_ranks_compute_a_real_object(shared, tmp_path):
    """Voxels and all gradients of an object that one rank has, over 1, 2, 3 and 4 of them."""
    file = tmp_path / "object"
    tokens = store_object(shared / "data" / "captures" / "maryrose_tankard", file)
    assert tokens > 50_000
    make = partial(stored_object, file)
    layouts = [Layout((0,)), Layout((-1,), "scattered", recompute=True)]
    compare(make, layouts, ALL_RANKS, tmp_path, seconds=900)
