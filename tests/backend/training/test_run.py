# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole trainings: all phases, going on exactly where a process was stopped, what is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from backend.model.weights.checkpoint import open_checkpoint
from backend.shared.errors import BadRequest, Cancelled
from backend.shared.progress import Progress
from backend.training import phase_setup
from backend.training.log import read_metrics, read_novel_views
from backend.training.run import Run
from backend.training.settings.config import LogConfig, read_config
from tests.training_samples import DENSE, SPARSE, Balls, tiny_training

CPU = torch.device("cpu")
LOG = LogConfig(metrics=1, pictures=3, checkpoints=2, kept=1)


@pytest.fixture(autouse=True)
def _balls(monkeypatch):
    """Train on balls."""
    monkeypatch.setattr(phase_setup, "open_samples", lambda _: Balls(2))


def weights(folder):
    """All tensors of a checkpoint."""
    from safetensors.torch import load_file

    return {path.name: load_file(path) for path in sorted(folder.glob("*.safetensors"))}


def stop_after(steps: int) -> Progress:
    """Progress that is cancelled when so many steps are done."""
    progress = Progress(lambda _stage, _fraction, _message: seen.append(1) or check())
    seen: list[int] = []

    def check() -> None:
        if len(seen) > steps:
            progress.cancel()

    return progress


def test_a_stopped_training_goes_on_to_the_bit(tmp_path):
    """As if it had never been stopped; metrics are complete and not written twice."""
    config = tiny_training(replace(DENSE, steps=5), log=LOG)
    whole = Run(config, tmp_path / "whole", CPU, Progress()).all_phases()
    with pytest.raises(Cancelled):
        Run(config, tmp_path / "stopped", CPU, stop_after(3)).all_phases()
    assert not (tmp_path / "stopped" / "dense" / "model").exists()
    again = Run(config, tmp_path / "stopped", CPU, Progress()).all_phases()
    one, other = weights(whole), weights(again)
    assert set(one["dense.safetensors"]) == set(other["dense.safetensors"])
    for name, tensor in one["dense.safetensors"].items():
        assert torch.equal(tensor, other["dense.safetensors"][name]), name
    lines = [
        read_metrics(folder / "dense") for folder in (tmp_path / "whole", tmp_path / "stopped")
    ]
    assert [[line["step"] for line in each] for each in lines] == [[*range(5)]] * 2
    assert [line["loss/loss"] for line in lines[0]] == [line["loss/loss"] for line in lines[1]]
    kept = list((tmp_path / "stopped" / "dense" / "checkpoints").iterdir())
    assert [each.name for each in kept] == ["00000005"]
    pictures = sorted(p.name for p in (tmp_path / "whole" / "dense" / "pictures").iterdir())
    assert pictures == ["00000000.png", "00000003.png", "00000004.png"]


def test_phases_follow_each_other_to_a_checkpoint(tmp_path):
    """Dense, sparse at two resolutions, then materials; each starts with what is learned."""
    fine = {"sparse": {"image_size": 16, "transformer": {"volume_resolution": 2}}}
    pbr = {
        "compositing": "linear",
        "dense": {"encoder": {"background": True}, "decoder": {"prediction": "pbr"}},
        "sparse": {"encoder": {"background": True}, "decoder": {"prediction": "pbr"}},
    }
    small = replace(DENSE.views, inputs=(2, 2), targets=1)
    dense = replace(DENSE, steps=2, views=small)
    sparse = replace(SPARSE, steps=1, views=small, normal_steps=1)
    losses = replace(DENSE.losses, rgb=0, base_color=1, roughness=1, metallic=1)
    config = tiny_training(
        dense,
        replace(sparse, name="sparse_2", model=fine),
        replace(sparse, name="sparse_4", start="sparse_2"),
        replace(dense, name="materials", start="dense", model=pbr, losses=losses),
        replace(
            sparse, name="last", start="sparse_4", coarse="materials", model=pbr, losses=losses
        ),
        log=LOG,
    )
    folder = Run(config, tmp_path, CPU, Progress()).all_phases()
    checkpoint = open_checkpoint(str(folder))
    checkpoint.check()
    assert checkpoint.config.predicts_materials
    assert checkpoint.config.dense.inverse_std == DENSE.inverse_std.last
    frozen = weights(tmp_path / "materials" / "model")["dense.safetensors"]
    found = weights(folder)
    assert all(torch.equal(frozen[name], each) for name, each in found["dense.safetensors"].items())
    (line,) = read_metrics(tmp_path / "last")
    assert {"loss/base_color", "loss/normal", "loss/depth", "volume_tokens"} <= set(line)
    assert "loss/rgb" not in line
    again = Run(config, tmp_path, CPU, Progress()).all_phases()  # nothing is left to do
    assert again == folder


def test_held_out_views_are_judged_at_the_end(tmp_path):
    """They are no targets before."""
    views = replace(DENSE.views, held_out=2)
    config = tiny_training(
        replace(DENSE, steps=1, views=views), replace(DENSE, name="all", steps=1)
    )
    Run(config, tmp_path, CPU, Progress()).all_phases()
    assert 5 < read_novel_views(tmp_path / "dense") < 40
    assert read_novel_views(tmp_path / "all") is None


def test_other_settings_are_refused(tmp_path):
    """A folder holds one training."""
    (tmp_path / "training.json").write_text(json.dumps({"name": "another"}), "utf-8")
    with pytest.raises(BadRequest, match="other settings"):
        Run(tiny_training(), tmp_path, CPU, Progress()).all_phases()


def test_weights_of_a_missing_phase_are_named(tmp_path):
    """As those of any checkpoint are."""
    from backend.shared.errors import CheckpointMissing

    config = tiny_training(replace(DENSE, start=str(tmp_path / "nowhere")))
    with pytest.raises(CheckpointMissing, match="nowhere"):
        Run(config, tmp_path / "out", CPU, Progress()).all_phases()


@pytest.mark.slow
def test_the_tiny_training_ends(tmp_path, monkeypatch):
    """All of its phases on made objects, in minutes on two cores."""
    monkeypatch.undo()
    folder = Run(read_config("tiny"), tmp_path, CPU, Progress()).all_phases()
    open_checkpoint(str(folder)).check()
    first, *_, last = read_metrics(tmp_path / "dense")
    assert last["loss/loss"] < first["loss/loss"]
