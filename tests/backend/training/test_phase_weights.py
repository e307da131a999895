# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Weights travel between phases, stages, resolutions and heads, with weight norm or without."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from backend.model.stage import Stage
from backend.model.weights.checkpoint import open_checkpoint
from backend.model.weights.weight_norm import folded
from backend.training.phase_weights import export, resized_positions, start_from
from tests.training_samples import DENSE, SPARSE, tiny_model, tiny_training


@pytest.fixture(scope="module")
def model():
    """The dense stage with weight norm."""
    table = tiny_model()
    table["dense"]["transformer"] = {**table["dense"]["transformer"], "weight_norm": True}
    return tiny_training(model=table).model_of(DENSE)


@pytest.fixture(scope="module")
def trained(model):
    """A dense stage."""
    torch.manual_seed(1)
    return Stage(model.dense)


@pytest.fixture(scope="module")
def checkpoint(model, trained, tmp_path_factory):
    """Its checkpoint."""
    folder = tmp_path_factory.mktemp("weights") / "model"
    export(folder, model, "dense", trained.state_dict(), None)
    return open_checkpoint(str(folder))


def test_a_checkpoint_is_the_trained_stage(model, trained, checkpoint):
    """Weight norm folded: the same products to the last bits."""
    assert not checkpoint.config.dense.transformer.weight_norm
    loaded = checkpoint.load_stage("dense")
    layer = "transformer.blocks.0.attention.volume.query"
    stream = torch.randn(5, 16)
    found, wanted = (each.get_submodule(layer)(stream) for each in (loaded, trained))
    torch.testing.assert_close(found, wanted)


def test_a_stage_starts_where_it_ended(model, trained, checkpoint):
    """Gains and directions of weight norm are found again."""
    stage = Stage(model.dense)
    assert start_from(stage, checkpoint, "dense") == []
    before, after = folded(trained.state_dict()), folded(stage.state_dict())
    for name, tensor in before.items():
        torch.testing.assert_close(after[name], tensor)


def test_the_sparse_stage_starts_from_the_dense_one(checkpoint):
    """What only it has stays random; positions are stretched to its resolution."""
    stage = Stage(tiny_training().model_of(SPARSE).sparse)
    fresh = start_from(stage, checkpoint, "sparse")
    kinds = ("_to_", "stage_fusion", "gate.bias", "upsampler.bias")
    assert fresh
    assert all(any(kind in name for kind in kinds) for name in fresh)
    dense = checkpoint.load_stage("dense").transformer.positions.x
    assert torch.equal(stage.transformer.positions.x, resized_positions(dense, 4))


def test_positions_are_linear_between_their_rows():
    """At half-pixel centers, like images."""
    table = torch.tensor([[[0.0], [2.0]]])
    assert resized_positions(table, 2) is table
    assert resized_positions(table, 4).flatten().tolist() == [0.0, 0.5, 1.5, 2.0]


def test_materials_start_from_the_head_of_colors(model, checkpoint):
    """All of base color; of roughness and metallic what is before their last layer."""
    decoder = replace(model.dense.decoder, prediction="pbr")
    encoder = replace(model.dense.encoder, background=True)
    stage = Stage(replace(model.dense, decoder=decoder, encoder=encoder))
    fresh = start_from(stage, checkpoint, "dense")
    assert fresh == [
        "encoder.background.weight",
        "encoder.background.bias",
        "decoder.material.6.weight",
    ]
    assert not stage.encoder.background.weight.any()  # it changes nothing at first
    colors = checkpoint.load_stage("dense").decoder.rgb
    assert torch.equal(stage.decoder.base_color[6].weight, colors[6].weight)
    assert torch.equal(stage.decoder.material[2].weight, colors[2].weight)
