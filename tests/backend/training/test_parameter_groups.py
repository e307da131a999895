# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which weights decay, gradients that are no numbers, and limited norms."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from backend.model.stage import Stage
from backend.training.parameter_groups import (
    clear_unusable,
    clip_gradients,
    decays,
    make_optimizer,
    set_rate,
)
from backend.training.phase_setup import compile_blocks
from tests.training_samples import SPARSE, tiny_training


@pytest.fixture(scope="module")
def stage():
    """A sparse stage with weight norm."""
    config = tiny_training().model_of(SPARSE).sparse
    transformer = dataclasses.replace(config.transformer, weight_norm=True)
    return Stage(dataclasses.replace(config, transformer=transformer))


def test_matrices_decay_and_nothing_else_does(stage):
    """Biases, gains, normed weights and positions keep their size."""
    decayed = {name for name, each in stage.named_parameters() if decays(name, each.shape)}
    assert "transformer.blocks.0.attention.volume.gate.weight" in decayed
    assert "decoder.sdf.0.weight" in decayed
    assert "encoder.patches.weight" in decayed
    kept = {name for name, _ in stage.named_parameters()} - decayed
    assert "encoder.patches.bias" in kept
    assert "transformer.norm.weight" in kept
    assert "transformer.positions.x" in kept
    query = "transformer.blocks.0.attention.volume.query.parametrizations.weight.original"
    assert {f"{query}0", f"{query}1"} <= kept


def test_all_of_the_upsampler_decays(stage):
    """Its bias, too, as in the release."""
    names = [name for name, _ in stage.named_parameters() if "upsampler" in name]
    assert len(names) == 3
    assert all(decays(name, torch.Size([3])) for name in names)


def test_every_parameter_has_one_group(stage):
    """And frozen ones have none."""
    stage.decoder.rgb.requires_grad_(requires_grad=False)
    optimizer = make_optimizer(stage.named_parameters())
    stage.decoder.rgb.requires_grad_(requires_grad=True)
    grouped = [id(each) for group in optimizer.param_groups for each in group["params"]]
    frozen = {id(each) for each in stage.decoder.rgb.parameters()}
    wanted = {id(each) for each in stage.parameters()} - frozen
    assert len(grouped) == len(wanted)
    assert set(grouped) == wanted
    set_rate(optimizer, 0.5)
    assert [group["lr"] for group in optimizer.param_groups] == [0.5, 0.5]
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.05, 0.0]


@pytest.mark.slow
def test_only_plain_arithmetic_is_compiled(stage):
    """The MLPs of every block, which one-sided blocks have one of; nothing is compiled yet."""
    compile_blocks(stage)
    compiled = [
        name for name, each in stage.named_modules() if each._compiled_call_impl is not None
    ]
    assert compiled == [
        "transformer.blocks.0.volume_mlp",
        "transformer.blocks.0.image_mlp",
        "transformer.skip_blocks.0.volume_mlp",
    ]


def test_gradients_that_are_no_numbers_become_zero():
    """And are counted; the others stay."""
    layer = torch.nn.Linear(2, 2)
    layer.weight.grad = torch.tensor([[1.0, torch.nan], [torch.inf, -2.0]])
    assert int(clear_unusable(layer.parameters())) == 2
    assert layer.weight.grad.tolist() == [[1, 0], [0, -2]]
    assert layer.bias.grad.tolist() == [0, 0]


def test_each_part_is_limited_alone():
    """A large gradient of one does not shrink that of another."""
    large, small = torch.nn.Linear(1, 1, bias=False), torch.nn.Linear(1, 1, bias=False)
    large.weight.grad, small.weight.grad = torch.tensor([[30.0]]), torch.tensor([[0.5]])
    clip_gradients([large, small])
    assert float(large.weight.grad) == pytest.approx(1.0, rel=1e-4)
    assert float(small.weight.grad) == 0.5
