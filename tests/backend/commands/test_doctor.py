# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The doctor on weights: each with its license, and the image features where they are needed."""

from __future__ import annotations

import json

import pytest

from backend.commands import doctor
from backend.shared import checkpoint_folders


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty place for checkpoints, and no other one."""
    monkeypatch.setenv("LSRM_CHECKPOINTS", str(tmp_path))
    monkeypatch.setattr(checkpoint_folders, "SHIPPED", tmp_path / "nothing")
    monkeypatch.delenv("LSRM_DINOV3", raising=False)
    return tmp_path


def install(home, name: str, features: str) -> None:
    """Put the configuration of a checkpoint into its place."""
    (home / name).mkdir()
    (home / name / "config.json").write_text(json.dumps({"image_features": features}))


def found() -> dict[str, doctor.Finding]:
    return {finding.name: finding for finding in doctor.examine()}


def test_without_weights_all_is_well(home):
    """Nobody needs weights, and nobody needs image features without weights."""
    findings = found()
    assert findings["checkpoints"].well
    assert findings["dinov3"].well


def test_weights_are_listed_with_their_licenses(home):
    """The released ones by name, those with a notice by where it is, the user's own as such."""
    for name in ("lsrm-pbr", "converted", "mine"):
        install(home, name, "none")
    (home / "converted" / "LICENSE.txt").touch()
    findings = found()
    assert "checkpoints" not in findings
    assert "CC BY-NC 4.0" in findings["lsrm-pbr"].seen
    assert str(home / "converted" / "LICENSE.txt") in findings["converted"].seen
    assert "your own" in findings["mine"].seen
    assert all(findings[name].well for name in ("lsrm-pbr", "converted", "mine", "dinov3"))


def test_image_features_are_missed_where_weights_need_them(home, monkeypatch):
    """Told before a job fails for them: away, there, and where the variable points to nothing."""
    install(home, "lsrm-rgb", "dinov3")
    missing = found()["dinov3"]
    assert not missing.well
    assert str(home) in missing.remedy
    (home / "dinov3_vith16plus.pth").touch()
    assert found()["dinov3"].well
    monkeypatch.setenv("LSRM_DINOV3", str(home / "elsewhere.pth"))
    assert not found()["dinov3"].well


def test_image_features_are_no_checkpoint(home):
    """A folder of theirs has a config.json, too, and cannot be chosen as weights."""
    install(home, "dinov3-vith16plus", "none")
    assert "dinov3-vith16plus" not in checkpoint_folders.installed_checkpoints()
    assert str(home / "dinov3-vith16plus") in found()["dinov3"].seen


@pytest.mark.parametrize("content", ["", "[]", "{}", "\xff"])
def test_broken_configurations_are_findings(home, content):
    """A checkpoint that cannot be read is told with a remedy, and hides no other finding."""
    install(home, "broken", "none")
    (home / "broken" / "config.json").write_text(content, encoding="latin-1")
    findings = found()
    assert not findings["broken"].well
    assert findings["broken"].remedy
    assert "dinov3" in findings
