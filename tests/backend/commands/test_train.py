# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `train`: its dry run, wrong usage, and one real object learned by heart."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import pytest
import torch
from torch.nn import functional as F

from backend.commands.command_line import main
from backend.field.density import render_step
from backend.field.ray_sampling import RaySampler
from backend.model.inference import predict_dense
from backend.model.weights.checkpoint import open_checkpoint
from backend.shared.cameras import Normalization
from backend.shared.capture.reader import read_capture
from backend.shared.capture.writer import write_transforms
from backend.shared.exit_codes import DONE, FAILED
from backend.training.datasets.plain_captures import sample_of_views
from backend.training.log import read_metrics
from backend.training.losses.chunked_rendering import Renderer
from backend.training.objects.training_object import input_views, view_rays
from backend.views.views import load_views
from backend.views.visual_hull import estimate_bounding_sphere

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 64


def test_a_dry_run_is_one_json_document(capsys):
    """Tokens, memory, traffic and days of every phase."""
    assert main(["train", "tiny", "--dry-run", "--gpus", "1", "--json"]) == DONE
    document = json.loads(capsys.readouterr().out)
    assert [*document["phases"]] == [
        "dense", "sparse_8", "sparse_16", "materials_dense", "materials_16"
    ]  # fmt: skip
    phase = document["phases"]["sparse_16"]
    assert phase["days"] > 0
    assert phase["traffic"] == {"weights": 0.0, "sequence": 0.0}


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["nothing", "--dry-run"], "There is no configuration nothing"),
        (["tiny"], "no folder to train in"),
        (["paper", "--dry-run", "--gpus", "12"], "12 GPUs cannot share"),
    ],
)
def test_mistakes_are_named(capsys, arguments, named):
    """With a remedy, and no traceback."""
    assert main(["train", *arguments]) == FAILED
    assert named in capsys.readouterr().err


@pytest.mark.slow
def test_one_real_object_is_learned_by_heart(shared, tmp_path):
    """The loss falls tenfold, and a view that was never seen has 25 dB at 64 pixels."""
    frames = read_capture(shared / "data" / "captures" / "maryrose_tankard").frames
    chosen = frames[:: len(frames) // 17][:17]
    known, held_out = tmp_path / "known", tmp_path / "held_out"
    for folder in (known, held_out):
        folder.mkdir()
    write_transforms(known / "transforms.json", [*chosen[:8], *chosen[9:]])
    write_transforms(held_out / "transforms.json", chosen[7:9])
    out = tmp_path / "out"
    assert main(["train", "overfit", "--captures", str(known), "-o", str(out)]) == DONE
    losses = [line["loss/loss"] for line in read_metrics(out / "dense")]
    assert sum(losses[-5:]) / 5 < losses[0] / 10
    assert novel_view_decibels(out / "dense" / "model", known, held_out) >= 25


def novel_view_decibels(model: Path, known: Path, held_out: Path) -> float:
    """PSNR of the last view of a capture, over white, from six views of another one."""
    views = load_views(read_capture(known), max_size=SIZE)
    sphere = views.bounding_sphere or estimate_bounding_sphere(views.views)
    normalization = Normalization.from_sphere(sphere.center, sphere.radius)
    last = load_views(read_capture(held_out), max_size=SIZE).views[-1:]
    seen, judged = (
        sample_of_views("object", part, normalization) for part in (views.views[::3], last)
    )
    checkpoint = open_checkpoint(str(model))
    config = checkpoint.config
    field = predict_dense(checkpoint.load_stage("dense"), input_views(seen, config)).field
    rays = view_rays(last[0].intrinsics, judged.camera_to_world[0].double().numpy(), torch.eye(3))
    step = render_step(config.half_side, config.dense.samples_per_ray)
    found = Renderer(RaySampler(config.half_side, step), 8192).render(field, rays)
    mask = judged.masks[:, None]
    truth = (judged.images * mask + 1 - mask)[0].permute(1, 2, 0).reshape(-1, 3)
    return -10 * math.log10(float(F.mse_loss(found.appearance, truth)))
