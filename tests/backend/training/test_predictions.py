# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gradients of the whole chain, from views through network and renderer to the losses."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from backend.model.stage import Stage
from backend.parallel.group import ALONE
from backend.training.distribution import TrainingRanks
from backend.training.losses.image_losses import ImageLosses
from backend.training.losses.point_head import PointHead
from backend.training.objects.training_object import prepare
from backend.training.predictions import DensePass, SparsePass
from backend.training.settings.config import LossWeights
from backend.training.trainer import TrainedModules, Trainer
from tests.training_samples import DENSE, SPARSE, TINY_VIEWS, ball, tiny_model, tiny_training

STEP = 1e-6

PARAMETERS = {
    "dense": (
        "stage.encoder.patches.weight",
        "stage.transformer.blocks.0.attention.volume.query.weight",
        "stage.transformer.positions.y",
        "stage.decoder.sdf.0.weight",
        "head.project.0.weight",
    ),
    "sparse": (
        "stage.encoder.patches.bias",
        "stage.transformer.blocks.0.attention.volume_to_image.gate.weight",
        "stage.transformer.skip_blocks.0.attention.image.key.weight",
        "stage.transformer.stage_fusion.image.0.weight",
        "stage.decoder.rgb.2.weight",
    ),
}


def trainer_of(kind: str) -> tuple[Trainer, list]:
    """A trainer in float64 whose network, made at random, shows something, and two objects."""
    torch.manual_seed(0)
    phase = replace(DENSE if kind == "dense" else SPARSE, normal_steps=4, rays_per_chunk=100)
    model = tiny_training(phase, model=tiny_model()).model_of(phase)
    stage, coarse = Stage(getattr(model, kind)), Stage(model.dense).requires_grad_(False)  # noqa: FBT003
    for decoder in (stage.decoder, coarse.decoder):
        for matrix in decoder.parameters():
            torch.nn.init.normal_(matrix, std=0.4)
    stage = stage.double()
    stage.transformer.checkpointing = True
    head = PointHead(model.dense, 8).double() if kind == "dense" else None
    common = stage, model, None, torch.empty(0, dtype=torch.float64), False
    network = (
        DensePass(*common, head, 10.0)
        if kind == "dense"
        else SparsePass(*common, coarse, ALONE, occupancy=8)
    )
    modules = TrainedModules(stage, head)
    losses = ImageLosses(LossWeights(), "rgb")
    trainer = Trainer(modules, network, losses, phase, TrainingRanks(torch.device("cpu")))
    generator = torch.Generator().manual_seed(0)
    objects = [prepare(ball(seed), model, TINY_VIEWS, 2, generator) for seed in range(2)]
    return trainer, objects


def loss_of(trainer: Trainer, objects: list) -> float:
    """The loss of a step, without its gradient."""
    with torch.no_grad():
        prediction = trainer.predict(0, objects)
        total = sum(float(term) for term in prediction.terms.values())
        for number, (field, each) in enumerate(zip(prediction.fields, objects, strict=True)):
            rays = each.rays.to(prediction.leaves[number])
            found = trainer.renderer(0, prediction, number).render(field, rays)
            terms = trainer._losses.terms(found, each.truth.to(found.opacity))
            total += float(torch.stack([*terms.values()]).sum()) / len(objects)
    return total


@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_gradients_of_the_whole_chain_are_those_of_finite_differences(kind):
    """In a random direction of parameters of every part, with chunks and checkpointing."""
    trainer, objects = trainer_of(kind)
    prediction = trainer.predict(0, objects)
    trainer._push_gradients(0, prediction, objects)
    prediction.backward()
    if kind == "sparse":
        check_frozen(trainer)
    parameters = dict(trainer.modules.named_parameters())
    moved = [parameters[name] for name in PARAMETERS[kind]]
    generator = torch.Generator().manual_seed(1)
    norms = [float(each.grad.norm()) for each in moved]
    assert min(norms) > 1e-9
    directions = [  # every parameter counts about as much
        min(norms) / norm * torch.randn(each.shape, generator=generator, dtype=torch.float64)
        for each, norm in zip(moved, norms, strict=True)
    ]
    sides = [shifted_loss(trainer, objects, moved, directions, step) for step in (STEP, -STEP)]
    wanted = sum(
        float((each.grad * direction).sum())
        for each, direction in zip(moved, directions, strict=True)
    )
    assert (sides[0] - sides[1]) / (2 * STEP) == pytest.approx(wanted, rel=1e-3)


def shifted_loss(trainer, objects, parameters, directions, step: float) -> float:
    """The loss with parameters moved along directions, which are then moved back."""
    with torch.no_grad():
        for each, direction in zip(parameters, directions, strict=True):
            each.add_(direction, alpha=step)
        loss = loss_of(trainer, objects)
        for each, direction in zip(parameters, directions, strict=True):
            each.sub_(direction, alpha=step)
    return loss


def check_frozen(trainer: Trainer) -> None:
    """The sparse stage alone has gradients, and every part of it that is used.

    QUIRK 3 (docs/deviations.md): without image features its encoder does not norm.
    """
    without = [name for name, each in trainer.modules.named_parameters() if each.grad is None]
    assert without == ["stage.encoder.norm.weight", "stage.encoder.norm.bias"]
    assert all(each.grad is None for each in trainer._network.coarse.parameters())


@pytest.mark.slow
def test_checkpointing_changes_no_gradient():
    """Blocks are computed once more, to the same bits."""
    grads = []
    for checkpointing in (False, True):
        trainer, objects = trainer_of("sparse")
        trainer.modules.stage.transformer.checkpointing = checkpointing
        trainer.step(0, objects)
        grads.append([each.grad for each in trainer.modules.parameters()])
    assert all(torch.equal(one, other) for one, other in zip(*grads, strict=True))


def test_bfloat16_is_near():
    """The network computes in bfloat16, fields and losses in float32."""
    losses = []
    for autocast in (False, True):
        trainer, objects = trainer_of("dense")
        trainer.modules.float()
        network = replace(trainer._network, like=torch.empty(0), autocast=autocast)
        trainer._network = network
        result = trainer.step(0, objects)
        losses.append(result.metrics["loss/loss"])
        assert all(each.grad.dtype == torch.float32 for each in trainer.modules.stage.parameters())
    assert losses[1] == pytest.approx(losses[0], rel=0.05)
    assert losses[1] != losses[0]
