# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Adding a downloaded checkpoint and its image features, with small stand-ins."""

from __future__ import annotations

import pytest
import torch

from backend.commands.added_checkpoint import _download_of, add
from backend.commands.convert_checkpoint import kind_folders
from backend.model.dinov3 import DinoV3, DinoV3Config
from backend.shared.checkpoint_folders import find_checkpoint, find_dinov3, installed_checkpoints
from backend.shared.errors import Cancelled, CheckpointMismatch, CheckpointMissing
from backend.shared.progress import Progress
from tests.small_release import write_small_release


@pytest.fixture(scope="module")
def download(tmp_path_factory):
    """A download with one checkpoint."""
    return write_small_release(tmp_path_factory.mktemp("download") / "brdf").parent


@pytest.fixture(scope="module")
def features(tmp_path_factory):
    """Image features of the original layout, with a name of the user's."""
    path = tmp_path_factory.mktemp("features") / "my features é.pth"
    save_features(path, 1280)
    return path


def save_features(path, width):
    """A small network of image features with as many channels."""
    config = DinoV3Config(width=width, depth=1, heads=width // 16, hidden=16)
    torch.save(DinoV3(config).state_dict(), path)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """An empty folder of checkpoints."""
    monkeypatch.setenv("LSRM_CHECKPOINTS", str(tmp_path / "checkpoints"))
    monkeypatch.delenv("LSRM_DINOV3", raising=False)
    return tmp_path / "checkpoints"


@pytest.mark.parametrize("chosen", [".", "brdf/sparse.pth", "brdf/dense/args.txt", "brdf/dense"])
def test_any_part_of_the_download_will_do(download, chosen):
    """Whatever was chosen of the download, its checkpoint is found."""
    assert kind_folders(_download_of(download / chosen)) == [download / "brdf"]


def test_a_download_becomes_usable_by_name(download, features, home):
    """The checkpoint is there by its name with its license, and its features beside it."""
    reported = []
    listener = lambda stage, fraction, _text: reported.append((stage, fraction))  # noqa: E731
    assert add(download, features, Progress(listener)) == ["lsrm-pbr"]
    assert find_checkpoint("lsrm-pbr") == home / "lsrm-pbr"
    (home / ".lsrm-rgb.x.part").mkdir()
    (home / ".lsrm-rgb.x.part" / "config.json").touch()
    assert "lsrm-pbr" in installed_checkpoints()
    assert not any("part" in name for name in installed_checkpoints())
    assert find_dinov3().read_bytes() == features.read_bytes()
    assert "Accepted on this computer" in (home / "lsrm-pbr" / "LICENSE.txt").read_text()
    assert list(dict(reported)) == ["features", "convert"]
    assert all(0.0 <= fraction <= 1.0 for _, fraction in reported)


@pytest.mark.parametrize("stage", ["features", "convert"])
def test_a_cancel_leaves_nothing_half_done(download, features, home, stage):
    """Whenever it is cancelled, only complete files are left."""
    progress = Progress(lambda at, fraction, _: progress.cancel() if at == stage else None)
    with pytest.raises(Cancelled):
        add(download, features, progress)
    left = {path.name for path in home.glob("*")} if home.exists() else set()
    assert left == ({f"dinov3-{features.name}"} if stage == "convert" else set())


def test_wrong_files_are_refused(download, features, home, tmp_path):
    """Missing features, other networks and other folders are errors; nothing is converted."""
    with pytest.raises(CheckpointMissing, match="There is no"):
        add(tmp_path / "nothing", features, Progress())
    with pytest.raises(CheckpointMissing, match=r"sparse\.pth"):
        add(tmp_path, features, Progress())
    torch.save({"weight": torch.zeros(2)}, tmp_path / "other.pth")
    with pytest.raises(CheckpointMismatch, match="no DINOv3 network"):
        add(download, tmp_path / "other.pth", Progress())
    save_features(tmp_path / "smaller.pth", 64)
    with pytest.raises(CheckpointMismatch, match="64 channels; the checkpoint reads 1280"):
        add(download, tmp_path / "smaller.pth", Progress())
    with pytest.raises(CheckpointMissing, match="image features"):
        add(download, None, Progress())
    assert not home.exists()
