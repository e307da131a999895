# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The choice of weights: missing weights and licenses are noticed before the capture."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass
class Settings:
    """The settings of a scene that choose weights."""

    checkpoint: str
    checkpoint_folder: str = ""
    material: str = "rgb"


@pytest.fixture
def checkpoint_params(lsrm, tmp_path, monkeypatch):
    """The function under test, on a computer without any weights."""
    monkeypatch.setenv("LSRM_CHECKPOINTS", str(tmp_path / "checkpoints"))
    monkeypatch.delenv("LSRM_DINOV3", raising=False)
    find = lsrm("lsrm_blender.jobs.checkpoints").checkpoint_params

    def params_of(checkpoint: str, folder: str = "", *, accepted: bool = True):
        return find(Settings(checkpoint, folder), Path(folder), accepted=accepted)

    return params_of


def _store(folder: Path, config: str = "{}") -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(config)
    return folder


def test_automatic_weights(checkpoint_params, lsrm, tmp_path, monkeypatch):
    """They are those that ship, and none in a version without: whatever the user has installed."""
    folders = lsrm("backend.shared.checkpoint_folders")
    monkeypatch.setattr(folders, "SHIPPED_FOLDER", tmp_path / "shipped")
    _store(tmp_path / "checkpoints" / "mini")
    assert checkpoint_params("auto", accepted=False)["checkpoint"] == "none"
    _store(tmp_path / "shipped" / "mini")
    assert checkpoint_params("auto", accepted=False)["checkpoint"] == "mini"


def test_a_license_elsewhere_does_not_count(checkpoint_params, tmp_path, monkeypatch):
    """A license file in the folder from which Blender was started does not count."""
    _store(tmp_path / "checkpoints" / "mini")
    for name in ("mini", "none"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "LICENSE.txt").touch()
    monkeypatch.chdir(tmp_path)
    assert checkpoint_params("none", accepted=False)["checkpoint"] == "none"
    assert checkpoint_params("mini", accepted=False)["checkpoint"] == "mini"


def test_the_license_of_found_weights_counts(checkpoint_params, lsrm, tmp_path):
    """The license file is looked for in the folder where weights are found by name."""
    (_store(tmp_path / "checkpoints" / "mini") / "LICENSE.txt").touch()
    assert checkpoint_params("mini")["checkpoint"] == "mini"
    with pytest.raises(lsrm("backend.shared.errors").LicenseNotAccepted):
        checkpoint_params("mini", accepted=False)


def test_a_folder_may_need_image_features(checkpoint_params, lsrm, tmp_path, monkeypatch):
    """Weights of the user that need DINOv3 are refused without it."""
    folder = str(_store(tmp_path / "mine", json.dumps({"image_features": "dinov3"})))
    with pytest.raises(lsrm("backend.shared.errors").CheckpointMissing, match="DINOv3"):
        checkpoint_params("FOLDER", folder)
    monkeypatch.setenv("LSRM_DINOV3", str(tmp_path / "dinov3.pth"))
    assert checkpoint_params("FOLDER", folder)["checkpoint"] == folder


@pytest.mark.parametrize("config", ["{", "[]", "{}", '{"image_features": "none"}'])
def test_other_folders_are_accepted(checkpoint_params, tmp_path, config):
    """Weights without image features are accepted, and configurations that cannot be read."""
    folder = str(_store(tmp_path / "mine", config))
    assert checkpoint_params("FOLDER", folder)["checkpoint"] == folder


@pytest.mark.parametrize("name", ["lsrm-rgb", "lsrm-pbr", "mini", "FOLDER"])
def test_remedies_name_no_command_line_options(checkpoint_params, lsrm, name):
    """The panel has no command-line options."""
    with pytest.raises(lsrm("backend.shared.errors").CheckpointMissing) as missing:
        checkpoint_params(name, "/no/such/folder")
    assert " --" not in missing.value.remedy
    assert "no checkpoint" in missing.value.remedy
