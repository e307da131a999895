# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `train`: its dry run, wrong usage, and one real object learned by heart."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from backend.commands.command_line import main
from backend.shared.exit_codes import DONE, FAILED
from backend.shared.virtual_environments import child_variables
from backend.training.log import read_metrics


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
@pytest.mark.timeout(5400)
def test_one_real_object_is_learned_by_heart(shared, blender_python, tmp_path, capsys):
    """The loss falls tenfold, and views that were never seen have 25 dB at 64 pixels."""
    orca = shared / "data" / "objects" / "gso_Sootheze_Toasty_Orca" / "model.obj"
    command = [
        sys.executable, "-m", "lsrm_blender", "capture", str(orca), "--up-axis", "Z", "-o",
        str(tmp_path / "views"), "--views", "32", "--size", "128", "--samples", "16", "--normalize",
    ]  # fmt: skip
    variables = child_variables(LSRM_BLENDER=str(blender_python))
    subprocess.run(command, capture_output=True, env=variables, check=True)
    views, out = str(tmp_path / "views"), tmp_path / "out"
    assert main(["train", "overfit", "--captures", views, "-o", str(out), "--json"]) == DONE
    losses = [line["loss/loss"] for line in read_metrics(out / "dense")]
    assert sum(losses[-5:]) / 5 < losses[0] / 10
    assert json.loads(capsys.readouterr().out)["novel_views"]["dense"] >= 25
