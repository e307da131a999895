# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The doctor's findings on checkpoints, their licenses, and the weights of the image features."""

from __future__ import annotations

import json
import shutil

import pytest
import torch

from backend.commands import doctor
from backend.model.weights.checkpoint import open_checkpoint
from backend.shared import checkpoint_folders
from tests.small_checkpoint import write_small_checkpoint


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty folder of checkpoints, and no other one."""
    monkeypatch.setenv("LSRM_CHECKPOINTS", str(tmp_path))
    monkeypatch.setattr(checkpoint_folders, "SHIPPED_FOLDER", tmp_path / "nothing")
    monkeypatch.delenv("LSRM_DINOV3", raising=False)
    return tmp_path


def install(home, name: str, features: str) -> None:
    """Write the configuration of a checkpoint into the folder of checkpoints."""
    (home / name).mkdir()
    (home / name / "config.json").write_text(json.dumps({"image_features": features}))


def examined() -> dict[str, doctor.Finding]:
    return {finding.name: finding for finding in doctor.examine()}


def test_no_checkpoints(home):
    """Checkpoints are optional; without one, the image features are not needed."""
    findings = examined()
    assert findings["checkpoints"].ok
    assert "auto is none" in findings["checkpoints"].found
    assert findings["dinov3"].ok


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """The folder of a whole checkpoint."""
    return write_small_checkpoint(tmp_path_factory.mktemp("weights") / "small")


def test_checkpoints_are_listed_with_their_licenses(home, weights):
    """Known by name, named by a license file, or the user's own; with the hash of the content."""
    for name in ("lsrm-pbr", "converted", "mine"):
        shutil.copytree(weights, home / name)
    (home / "converted" / "LICENSE.txt").touch()
    findings = examined()
    assert findings["checkpoints"].found == "--checkpoint auto is none"
    assert "CC BY-NC 4.0" in findings["lsrm-pbr"].found
    assert str(home / "converted" / "LICENSE.txt") in findings["converted"].found
    assert "your own" in findings["mine"].found
    assert all(findings[name].ok for name in ("lsrm-pbr", "converted", "mine", "dinov3"))
    fingerprint = open_checkpoint(str(weights)).fingerprint()
    assert findings["mine"].found.endswith(f"SHA-256 {fingerprint[:16]}")


def test_a_checkpoint_that_is_not_whole_is_found(home, weights):
    """A download that was cut off, and one of which a file is missing."""
    for name in ("cut", "half"):
        shutil.copytree(weights, home / name)
    cut = home / "cut" / "sparse.safetensors"
    cut.write_bytes(cut.read_bytes()[:1000])
    (home / "half" / "dense.safetensors").unlink()
    findings = examined()
    assert not findings["cut"].ok
    assert "damaged or incomplete" in findings["cut"].found
    assert not findings["half"].ok
    assert findings["half"].remedy


def test_missing_image_features(home, monkeypatch):
    """Missing weights of DINOv3 are found before a job fails, and a wrong LSRM_DINOV3."""
    install(home, "lsrm-rgb", "dinov3")
    missing = examined()["dinov3"]
    assert not missing.ok
    assert str(home) in missing.remedy
    (home / "dinov3_vith16plus.pth").touch()
    assert examined()["dinov3"].ok
    monkeypatch.setenv("LSRM_DINOV3", str(home / "elsewhere.pth"))
    assert not examined()["dinov3"].ok


def test_image_features_are_not_a_checkpoint(home):
    """A folder of DINOv3 also has a config.json, and cannot be chosen as a checkpoint."""
    install(home, "dinov3-vith16plus", "none")
    assert "dinov3-vith16plus" not in checkpoint_folders.installed_checkpoints()
    assert str(home / "dinov3-vith16plus") in examined()["dinov3"].found


@pytest.mark.parametrize("content", ["", "[]", "{}", "\xff"])
def test_broken_configurations_are_findings(home, content):
    """A checkpoint that cannot be read has a finding with a remedy, beside all others."""
    install(home, "broken", "none")
    (home / "broken" / "config.json").write_text(content, encoding="latin-1")
    findings = examined()
    assert not findings["broken"].ok
    assert findings["broken"].remedy
    assert "dinov3" in findings


def test_what_computes_attention_is_said(home):
    """And why it is not flash-attn: here, because there is no card."""
    if not torch.cuda.is_available():
        assert examined()["attention"].found == (
            "torch's own (the tensors are on cpu, not on CUDA)"
        )
    assert examined()["attention"].ok
