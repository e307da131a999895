# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A checkpoint folder holds what was saved, and says so when it does not."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections import namedtuple
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import pytest
import torch
from safetensors.torch import load_file, save_file

from backend.model.config.presets import preset
from backend.model.stage import Stage
from backend.model.weights.checkpoint import STAGES, open_checkpoint, write_checkpoint
from backend.model.weights.fingerprint import CACHE
from backend.model.weights.tensor_files import fold_numbers, write_safetensors
from backend.shared.checkpoint_folders import (
    NAMED_CHECKPOINTS,
    find_checkpoint,
    find_dinov3,
    installed_checkpoints,
    user_checkpoints,
)
from backend.shared.errors import CheckpointMismatch, CheckpointMissing, DiskFull, OutputNotWritable

if TYPE_CHECKING:
    from backend.model.config.model_config import ModelConfig


def tiny() -> ModelConfig:
    """A model of a few thousand parameters."""
    base = preset("tiny")
    stages = []
    for stage in (base.dense, base.sparse):
        transformer = replace(
            stage.transformer, width=32, depth=1, skip_links=(0,), volume_resolution=8
        )
        stages.append(
            replace(stage, encoder=replace(stage.encoder, width=32), transformer=transformer)
        )
    return replace(base, name="tiny", dense=stages[0], sparse=stages[1])


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder of checkpoints."""
    monkeypatch.setenv("LSRM_CHECKPOINTS", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def stages() -> dict[str, Stage]:
    """Both stages with random weights."""
    torch.manual_seed(2)
    return {name: Stage(getattr(tiny(), name)) for name in STAGES}


def write(folder: Path, stages: dict[str, Stage], dtype: torch.dtype = torch.float32) -> None:
    tensors = {name: iter(stage.state_dict().items()) for name, stage in stages.items()}
    write_checkpoint(folder, tiny(), tensors, dtype=dtype)


def test_what_was_saved_is_loaded(home: Path, stages: dict[str, Stage]) -> None:
    """A checkpoint in the user's folder is found by its name and holds the same numbers."""
    write(home / "tiny", stages)
    checkpoint = open_checkpoint("tiny")
    assert checkpoint.config == tiny()
    for name, stage in stages.items():
        loaded = checkpoint.load_stage(name)
        state = loaded.state_dict()
        assert all(torch.equal(state[key], value) for key, value in stage.state_dict().items())
        assert not loaded.training
        # Other readers of the format agree about the file.
        assert load_file(home / "tiny" / f"{name}.safetensors").keys() == state.keys()


def test_sixteen_bit_files_load_in_the_wanted_precision(
    tmp_path: Path, stages: dict[str, Stage]
) -> None:
    """Weights stored in half the space come back as float32, rounded once."""
    write(tmp_path / "half", stages, torch.float16)
    stored = open_checkpoint(str(tmp_path / "half")).load_stage("dense").transformer.norm.weight
    assert stored.dtype == torch.float32
    weight = stages["dense"].transformer.norm.weight
    assert torch.equal(stored, weight.half().float())


def test_the_fingerprint_follows_the_content(tmp_path: Path, stages: dict[str, Stage]) -> None:
    """Copies have one hash; a single changed weight gives another."""
    write(tmp_path / "a", stages)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    first = open_checkpoint(str(tmp_path / "a")).fingerprint()
    assert open_checkpoint(str(tmp_path / "b")).fingerprint() == first
    path = tmp_path / "b" / "sparse.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert open_checkpoint(str(tmp_path / "b")).fingerprint() != first


def test_a_file_is_read_for_its_fingerprint_only_when_it_changes(
    tmp_path: Path, stages: dict[str, Stage], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hash is kept with size and time; what cannot be used of it is made again."""
    write(tmp_path / "a", stages)
    checkpoint = open_checkpoint(str(tmp_path / "a"))
    read, digest = [], hashlib.file_digest

    def counted(file: BinaryIO, kind: str) -> object:
        read.append(Path(file.name).name)
        return digest(file, kind)

    monkeypatch.setattr(hashlib, "file_digest", counted)
    first = checkpoint.fingerprint()
    assert len(read) == 3
    assert checkpoint.fingerprint() == first
    assert len(read) == 3
    os.utime(checkpoint.folder / "dense.safetensors", ns=(1, 1))
    assert checkpoint.fingerprint() == first
    assert read[3:] == ["dense.safetensors"]
    kept = json.loads((checkpoint.folder / CACHE).read_text(encoding="utf-8"))
    kept["dense.safetensors"]["sha256"] = "12"
    for damaged in ("[", "[1]", '{"config.json": 1}', json.dumps(kept)):
        (checkpoint.folder / CACHE).write_text(damaged, encoding="utf-8")
        read.clear()
        assert checkpoint.fingerprint() == first
        assert len(read) == 3, damaged


def test_every_difference_is_listed(tmp_path: Path, stages: dict[str, Stage]) -> None:
    """Missing, unexpected and misshapen tensors stand in one message, before anything is read."""
    write(tmp_path / "a", stages)
    path = tmp_path / "a" / "dense.safetensors"
    tensors = load_file(path)
    del tensors["encoder.norm.weight"], tensors["encoder.norm.bias"]
    tensors["extra"] = torch.ones(1)
    tensors["decoder.sdf.0.weight"] = torch.ones(3, 3)
    save_file(tensors, path)
    with pytest.raises(CheckpointMismatch) as caught:
        open_checkpoint(str(tmp_path / "a")).check()
    message = caught.value.message
    assert "2 tensors missing: encoder.norm.weight, encoder.norm.bias" in message
    assert "1 tensor unexpected: extra" in message
    assert "decoder.sdf.0.weight (3, 3) instead of (32, 32)" in message


def test_damaged_files_are_errors(tmp_path: Path, stages: dict[str, Stage]) -> None:
    """A cut file, a config with a foreign key and a config that is none are mismatches."""
    write(tmp_path / "a", stages)
    path = tmp_path / "a" / "dense.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointMismatch, match="damaged or incomplete"):
        open_checkpoint(str(tmp_path / "a")).load_stage("dense")
    path.unlink()
    with pytest.raises(CheckpointMismatch, match=r"dense\.safetensors"):
        open_checkpoint(str(tmp_path / "a")).load_stage("dense")
    config = tmp_path / "a" / "config.json"
    config.write_text(json.dumps({**tiny().to_dict(), "surprise": 1}))
    with pytest.raises(CheckpointMismatch, match="surprise"):
        open_checkpoint(str(tmp_path / "a"))
    config.write_text("{")
    with pytest.raises(CheckpointMismatch, match=r"config\.json"):
        open_checkpoint(str(tmp_path / "a"))


@pytest.mark.parametrize("name", NAMED_CHECKPOINTS)
def test_absent_checkpoints_have_a_remedy(home: Path, name: str) -> None:
    """A known name that is not installed says where it would be and how to get it."""
    with pytest.raises(CheckpointMissing) as caught:
        find_checkpoint(name)
    assert str(home) in caught.value.message
    assert "--checkpoint none" in caught.value.remedy


def test_unknown_names_list_the_known_ones(home: Path) -> None:
    """A name that is neither known nor a folder names those that are known."""
    with pytest.raises(CheckpointMissing) as caught:
        find_checkpoint("lsrm-xl")
    assert "lsrm-rgb" in caught.value.remedy
    assert installed_checkpoints().keys() <= NAMED_CHECKPOINTS.keys()


def test_checkpoints_live_in_the_users_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the variable the standard folder of each system is used."""
    monkeypatch.delenv("LSRM_CHECKPOINTS", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    monkeypatch.setenv("LOCALAPPDATA", "/local")
    for platform, start in (("linux", "/data"), ("win32", "/local"), ("darwin", "~")):
        monkeypatch.setattr("sys.platform", platform)
        assert user_checkpoints().parts[-2:] == ("lsrm", "checkpoints")
        assert start == "~" or str(user_checkpoints()).startswith(start)


def test_dinov3_is_looked_for(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The image features are found among the checkpoints or where the variable points."""
    monkeypatch.delenv("LSRM_DINOV3", raising=False)
    with pytest.raises(CheckpointMissing, match="DINOv3"):
        find_dinov3()
    home.mkdir()
    (home / "dinov3_vith16plus.pth").touch()
    assert find_dinov3() == home / "dinov3_vith16plus.pth"
    monkeypatch.setenv("LSRM_DINOV3", str(home / "elsewhere.pth"))
    assert find_dinov3() == home / "elsewhere.pth"


def test_writing_is_whole_or_not_at_all(tmp_path: Path, stages: dict[str, Stage]) -> None:
    """A failure half way leaves nothing, and a folder that holds something is not touched."""

    def broken() -> object:
        yield from list(stages["dense"].state_dict().items())[:3]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_checkpoint(tmp_path / "a", tiny(), {"dense": broken()})
    assert list(tmp_path.iterdir()) == []
    write(tmp_path / "a", stages)
    with pytest.raises(OutputNotWritable):
        write(tmp_path / "a", stages)


def test_a_full_disk_is_noticed_first(
    tmp_path: Path, stages: dict[str, Stage], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without room nothing is written, and the message has both numbers."""
    usage = namedtuple("usage", "total used free")  # noqa: PYI024
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage(10, 9, 1))
    with pytest.raises(DiskFull, match="GB are free"):
        write(tmp_path / "a", stages)
    assert list(tmp_path.iterdir()) == []


def test_streamed_tensors_must_be_the_announced_ones(tmp_path: Path) -> None:
    """A tensor of another name or shape than the header says is a fault, not a file."""
    with pytest.raises(ValueError, match="expected a"):
        write_safetensors(tmp_path / "x", {"a": (2,)}, [("a", torch.ones(3))])
    with pytest.raises(ValueError, match="shorter"):
        write_safetensors(tmp_path / "x", {"a": (2,), "b": (1,)}, [("a", torch.ones(2))])


def test_long_lists_of_names_are_folded() -> None:
    """Names that differ in one index are written as one, and every name is there."""
    names = ["a.0.w", "a.1.w", "a.2.w", "a.5.w", "b.3.w", "c"]
    assert fold_numbers(names) == ["a.{0-2,5}.w", "b.3.w", "c"]
