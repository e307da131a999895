# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Conversion of released checkpoints: same numbers, every tensor used, no code executed."""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.utils import parametrize

from backend.commands import convert_checkpoint
from backend.model.encoder import EncoderInputs
from backend.model.release.config import pickled_arguments, read_arguments, released_config
from backend.model.release.names import MODULES, current_name, from_release
from backend.model.stage import Stage, run_dense
from backend.model.weights.checkpoint import STAGES, empty_stage, open_checkpoint, shapes_of
from backend.shared.errors import CheckpointMismatch, CheckpointMissing, OutputNotWritable
from tests.small_release import small_stages, write_small_release


@pytest.fixture(scope="module")
def models() -> dict[str, Stage]:
    """Both stages with random weights, weight norm not folded."""
    return small_stages()


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory, models: dict[str, Stage]) -> Path:
    """A small checkpoint in the release's layout."""
    folder = tmp_path_factory.mktemp("published")
    return write_small_release(folder, models)


@pytest.fixture
def release(published: Path, tmp_path: Path) -> Path:
    """A copy of it for a test to damage, as it lies in a download."""
    return Path(shutil.copytree(published, tmp_path / "download" / "brdf"))


def fold_weight_norm(stage: Stage) -> None:
    """Replace every g v / |v| by its product, as torch itself does it."""
    for module in stage.modules():
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight", leave_parametrized=True)


def test_conversion_keeps_every_number(
    release: Path, models: dict[str, Stage], tmp_path: Path
) -> None:
    """Converted weights are the trained ones with the weight norm folded, to the last bit."""
    convert_checkpoint.convert(release, tmp_path / "pbr")
    checkpoint = open_checkpoint(str(tmp_path / "pbr"))
    assert checkpoint.config.name == "lsrm-pbr"
    assert checkpoint.config.dense.inverse_std == 150.0
    for name in STAGES:
        folded = Stage(models[name].config)
        folded.load_state_dict(models[name].state_dict())
        fold_weight_norm(folded)
        expected, loaded = folded.state_dict(), checkpoint.load_stage(name).state_dict()
        assert expected.keys() == loaded.keys()
        assert all(torch.equal(expected[key], loaded[key]) for key in expected)


def test_output_is_the_same_before_and_after(
    release: Path, models: dict[str, Stage], tmp_path: Path
) -> None:
    """The converted dense stage predicts what the trained one did."""
    convert_checkpoint.convert(release, tmp_path / "pbr")
    converted = open_checkpoint(str(tmp_path / "pbr")).load_stage("dense")
    inputs = EncoderInputs(
        images=torch.rand(1, 2, 3, 256, 256),
        rays=torch.rand(1, 2, 6, 256, 256),
        background=torch.rand(1, 2, 3, 256, 256),
        features=torch.rand(1, 2 * 8 * 8, 1280),
    )
    with torch.no_grad():
        before, after = run_dense(models["dense"], inputs), run_dense(converted, inputs)
    assert before.volume.abs().max() > 0.1
    assert torch.equal(before.volume, after.volume)


@pytest.mark.parametrize("kind", ["rgb_dense", "brdf_dense", "rgb_sparse", "brdf_sparse"])
def test_conversion_covers_the_full_size_models(shared: Path, kind: str) -> None:
    """The release and LSRM have the same parameters."""
    manifest = json.loads((shared / "golden" / "manifest" / f"{kind}.json").read_text())
    arguments = {"use_weight_norm": True, "use_decomposed_embed": True}
    config = released_config(arguments, {}, materials=kind.startswith("brdf"))
    found = shapes_of(empty_stage(getattr(config, kind.split("_")[1])))
    released = {
        f"{module}.{from_release(module, name)}": tuple(shape)
        for released_module, module in MODULES.items()
        for name, (shape, _) in manifest["modules"][released_module].items()
    }
    assert released == found


def test_a_download_with_both_kinds_gives_two_checkpoints(
    release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command finds `rgb` and `brdf` in a download and names what it makes."""
    arguments = argparse.Namespace(
        source=release.parent, destination=tmp_path / "out", accept_license=True, json=True
    )
    assert convert_checkpoint.run(arguments) == 0
    assert (tmp_path / "out" / "lsrm-pbr" / "sparse.safetensors").is_file()
    assert "CC BY-NC" in (tmp_path / "out" / "lsrm-pbr" / "LICENSE.txt").read_text()
    answer = json.loads(capsys.readouterr().out)
    assert [entry["name"] for entry in answer] == ["lsrm-pbr"]
    assert len(answer[0]["sha256"]) == 64


def test_nothing_is_written_before_the_license_is_accepted(
    release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without acceptance the license is shown, nothing is made, and the usage is wrong."""
    arguments = argparse.Namespace(
        source=release, destination=tmp_path / "out", accept_license=False, json=False
    )
    assert convert_checkpoint.run(arguments) == 2
    assert "CC BY-NC 4.0" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_license_can_be_accepted_by_hand(
    release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a terminal, yes is enough; anything else is a no."""
    arguments = argparse.Namespace(
        source=release, destination=tmp_path / "out", accept_license=False, json=False
    )
    for answer, made in (("no\n", False), ("", False), ("Yes\n", True)):
        typed = io.StringIO(answer)
        monkeypatch.setattr(typed, "isatty", lambda: True)
        monkeypatch.setattr("sys.stdin", typed)
        assert convert_checkpoint.run(arguments) == (0 if made else 2)
        assert (tmp_path / "out").exists() == made


def refused(release: Path, destination: Path) -> str:
    """The words of the failure that a damaged release meets; nothing is left behind."""
    before = set(destination.parent.iterdir())
    with pytest.raises(CheckpointMismatch) as caught:
        convert_checkpoint.convert(release, destination)
    assert set(destination.parent.iterdir()) == before
    return caught.value.message


def edit(path: Path, change: Any) -> None:
    content = torch.load(path, weights_only=False)
    change(content)
    torch.save(content, path)


def test_all_differences_are_listed(release: Path, tmp_path: Path) -> None:
    """Missing, unexpected and misshapen tensors are all named in one message."""

    def damage(content: dict[str, Any]) -> None:
        for block in range(2):
            del content["voldecoder"][f"cross_blocks.{block}.mlp_x_1.fc1.bias"]
        content["volsdf"]["module.mlp_sdf.0.weight"] = torch.ones(8, 5)
        content["mvencoder"]["module.surprise"] = torch.ones(1)

    edit(release / "sparse.pth", damage)
    message = refused(release, tmp_path / "out")
    assert "2 tensors missing: transformer.cross_blocks.{0-1}.mlp_x_1.fc1.bias" in message
    assert "1 tensor unexpected: encoder.surprise" in message
    assert "decoder.mlp_sdf.0.weight (8, 5) instead of (8, 4)" in message


def test_a_truncated_file_is_refused(release: Path, tmp_path: Path) -> None:
    """A download that stopped half way is called incomplete."""
    path = release / "dense" / "checkpoints" / "last.pth"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert "damaged or incomplete" in refused(release, tmp_path / "out")


def test_another_kind_of_file_is_refused(release: Path, tmp_path: Path) -> None:
    """A dense stage where the sparse one is expected, or no checkpoint at all, is an error."""
    dense = (release / "dense" / "checkpoints" / "last.pth").read_bytes()
    (release / "sparse.pth").write_bytes(dense)
    assert "holds the dense stage, not the sparse one" in refused(release, tmp_path / "out")
    torch.save({"cls_token": torch.ones(3)}, release / "sparse.pth")
    assert "no mvencoder, voldecoder, volsdf" in refused(release, tmp_path / "out")
    (release / "sparse.pth").write_text("<html>please log in</html>")
    assert "sparse.pth" in refused(release, tmp_path / "out")


class Harmful:
    """A pickle that would make a file when it is loaded carelessly."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        """Run code on loading."""
        return os.mkdir, (str(self.target),)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_with_code_runs_nothing(release: Path, tmp_path: Path, *, zipped: bool) -> None:
    """Whatever a pickle wants to call, it is not called, and the message names it."""
    target = tmp_path / "executed"
    content = {"mvencoder": {}, "args": Harmful(target)}
    torch.save(content, release / "sparse.pth", _use_new_zipfile_serialization=zipped)
    message = refused(release, tmp_path / "out")
    assert "mkdir" in message
    assert "none of it was executed" in message
    assert not target.exists()


def test_a_missing_file_is_named(release: Path, tmp_path: Path) -> None:
    """Without args.txt, or without a stage, the error names the path that is absent."""
    (release / "dense" / "args.txt").unlink()
    with pytest.raises(CheckpointMissing, match=r"args\.txt"):
        convert_checkpoint.convert(release, tmp_path / "out")
    (release / "sparse.pth").unlink()
    with pytest.raises(CheckpointMissing, match=r"sparse\.pth"):
        convert_checkpoint.convert(release, tmp_path / "out")


def test_an_existing_destination_is_left_alone(release: Path, tmp_path: Path) -> None:
    """A folder that holds anything is not overwritten."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("precious")
    with pytest.raises(OutputNotWritable):
        convert_checkpoint.convert(release, tmp_path / "out")
    assert [entry.name for entry in (tmp_path / "out").iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    "text",
    [
        '{"volume_res": 16, "skip_links": [17, 11, 4], "use_dino": "v3", "resume": null}',
        "Namespace(volume_res=16, skip_links=[17, 11, 4], use_dino='v3', resume=None)",
        "volume_res: 16\nskip_links: [17, 11, 4]\nuse_dino: v3\nresume: None\n",
    ],
)
def test_arguments_are_read_in_every_way_they_are_printed(tmp_path: Path, text: str) -> None:
    """JSON, a printed Namespace and plain lines give the same arguments."""
    (tmp_path / "args.txt").write_text(text)
    expected = {"volume_res": 16, "skip_links": [17, 11, 4], "use_dino": "v3", "resume": None}
    assert read_arguments(tmp_path / "args.txt") == expected


def test_unknown_architectures_are_refused() -> None:
    """Arguments of an unsupported architecture are an error that names the value."""
    with pytest.raises(CheckpointMismatch, match="v2"):
        released_config({"use_dino": "v2"}, {}, materials=False)
    assert pickled_arguments({"args": "no namespace"}) == {}


def test_absent_switches_mean_an_older_program() -> None:
    """A dense stage without the two newer arguments has neither what they switch on."""
    dense = released_config({}, {}, materials=False).dense.transformer
    assert (dense.weight_norm, dense.axis_positions) == (False, False)


@pytest.mark.parametrize("prefix", ["", "module.", "_fsdp_wrapped_module.", "module.module."])
def test_wrappers_and_older_names_are_undone(prefix: str) -> None:
    """Names are the same whatever wrapped the module that saved them."""
    name = "cross_blocks.3.crs_attn.y_2_x_atten.compression_value.act_layers.2.bias"
    expected = "cross_blocks.3.crs_attn.y_2_x_attn_in.compression_value.act_layers.2.bias"
    assert current_name(prefix + name) == expected
