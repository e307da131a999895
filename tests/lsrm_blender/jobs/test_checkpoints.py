# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The choice of weights in the panel: what is refused before minutes of capturing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass
class Chosen:
    """The settings of a scene that are about weights."""

    checkpoint: str
    checkpoint_folder: str = ""
    material: str = "rgb"


@pytest.fixture
def weights_of(lsrm, tmp_path, monkeypatch):
    """A function that turns a choice into parameters, on a computer without any weights."""
    monkeypatch.setenv("LSRM_CHECKPOINTS", str(tmp_path / "checkpoints"))
    monkeypatch.delenv("LSRM_DINOV3", raising=False)
    find = lsrm("lsrm_blender.jobs.checkpoints").checkpoint_params

    def ask(checkpoint: str, folder: str = "", *, accepted: bool = True):
        return find(Chosen(checkpoint, folder), Path(folder), accepted=accepted)

    return ask


def _store(folder: Path, config: str = "{}") -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(config)
    return folder


def test_a_license_elsewhere_does_not_count(weights_of, tmp_path, monkeypatch):
    """What lies in the folder that Blender was started from has nothing to do with the weights."""
    _store(tmp_path / "checkpoints" / "mini")
    for name in ("mini", "none"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "LICENSE.txt").touch()
    monkeypatch.chdir(tmp_path)
    assert weights_of("none", accepted=False)["checkpoint"] == "none"
    assert weights_of("mini", accepted=False)["checkpoint"] == "mini"


def test_the_license_of_found_weights_counts(weights_of, lsrm, tmp_path):
    """Weights that are found under a name are asked for their license where they are."""
    (_store(tmp_path / "checkpoints" / "mini") / "LICENSE.txt").touch()
    assert weights_of("mini")["checkpoint"] == "mini"
    with pytest.raises(lsrm("backend.shared.errors").LicenseNotAccepted):
        weights_of("mini", accepted=False)


def test_a_folder_that_needs_image_features_is_told_so(weights_of, lsrm, tmp_path, monkeypatch):
    """Weights of one's own may be trained on DINOv3, too; without it they are refused."""
    folder = str(_store(tmp_path / "mine", json.dumps({"image_features": "dinov3"})))
    with pytest.raises(lsrm("backend.shared.errors").CheckpointMissing, match="DINOv3"):
        weights_of("FOLDER", folder)
    monkeypatch.setenv("LSRM_DINOV3", str(tmp_path / "dinov3.pth"))
    assert weights_of("FOLDER", folder)["checkpoint"] == folder


@pytest.mark.parametrize("config", ["{", "[]", "{}", '{"image_features": "none"}'])
def test_other_folders_are_taken(weights_of, tmp_path, config):
    """Without need for features, or where the backend will say what is wrong, nothing stops."""
    folder = str(_store(tmp_path / "mine", config))
    assert weights_of("FOLDER", folder)["checkpoint"] == folder


@pytest.mark.parametrize("name", ["lsrm-rgb", "lsrm-pbr", "mini", "FOLDER"])
def test_remedies_are_in_the_words_of_the_panel(weights_of, lsrm, name):
    """A panel has no options of a command line."""
    with pytest.raises(lsrm("backend.shared.errors").CheckpointMissing) as missing:
        weights_of(name, "/no/such/folder")
    assert " --" not in missing.value.remedy
    assert "no checkpoint" in missing.value.remedy
