# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every golden case of the published model, by the very code that `backend parity` runs."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import load_file, save_file

from backend.shared.errors import LsrmError
from benchmarks.parity import parity

if TYPE_CHECKING:
    from pathlib import Path

CASES = [
    "attention_units",
    "dense_brdf",
    "dense_nocam_b2",
    "dense_rgb",
    "preprocess",
    "render",
    "routing_b2",
    "routing_crop",
    "routing_few",
    "routing_nocrop",
    "sparse_brdf",
    "sparse_rgb",
    "sparse_score",
    "sparsify",
    "volsdf_dense_brdf",
    "volsdf_dense_rgb",
    "volsdf_sparse_brdf",
    "volsdf_sparse_rgb",
]


@pytest.mark.parametrize("name", CASES)
def test_case_within_tolerance(shared: Path, name: str) -> None:
    """LSRM computes every stored tensor of the published model, in float32 on a CPU."""
    rows = parity.run_case(shared / "golden" / name)
    assert rows
    assert [row for row in rows if not row.ok] == []


def test_every_case_is_tested(shared: Path) -> None:
    """The list above names every golden case."""
    found = sorted(path.parent.name for path in (shared / "golden").glob("*/case.json"))
    assert found == CASES


def _parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parity.add_arguments(parser)
    return parser.parse_args(arguments)


def _tiny_case(folder: Path, error: float) -> Path:
    """A small case: an empty sparse volume around a dense one of zeros."""
    weights = {
        f"volsdf.mlp_{kind}.0.weight": torch.zeros(n, 2) for kind, n in (("sdf", 1), ("rgb", 3))
    }
    config: dict[str, object] = {
        "input_dim": 2,
        "dim": 4,
        "sdf_depth": 0,
        "rgb_depth": 0,
        "brdf_depth": 0,
    }
    config |= {"prediction_type": "rgb", "radius": 0.5}
    document = {
        "kind": "volsdf_dense",
        "config": {
            "volsdf": config,
            "inv_std": [],
            "inv_std_dense": 1,
            "grid_N": 2,
            "step_sizes": {"infer_256": 0.1},
        },
        "weights_files": [{"file": "weights.safetensors"}],
    }
    points = torch.tensor([[0.3, 0.0, 0.4]])
    folder.mkdir()
    (folder / "case.json").write_text(json.dumps(document), encoding="utf-8")
    save_file(weights, folder / "weights.safetensors")
    inputs = {"positions": points, "volume": torch.zeros(1, 2, 3, 3, 3)}
    save_file(inputs, folder / "inputs.safetensors")
    save_file({"sdf": torch.tensor([[0.45 + error]])}, folder / "outputs.safetensors")
    return folder


def test_a_wrong_tensor_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The exit code is 1 if a tensor is out of tolerance or a case unreadable; JSON says which."""
    right, wrong = _tiny_case(tmp_path / "right", 0.0), _tiny_case(tmp_path / "wrong", 2e-5)
    assert parity.run(_parse(str(right))) == 0
    capsys.readouterr()
    nothing = tmp_path / "nothing"
    assert parity.run(_parse(str(nothing), str(right), str(wrong), "--json")) == 1
    document = json.loads(capsys.readouterr().out)
    assert "golden case" in document[str(nothing)]["error"]["message"]
    assert [row["ok"] for row in document[str(right)]] == [True]
    assert [(row["name"], row["ok"]) for row in document[str(wrong)]] == [("sdf", False)]


@pytest.mark.parametrize("broken", ["no folder", "no json", "truncated", "unknown kind"])
def test_unreadable_cases_are_refused(tmp_path: Path, broken: str) -> None:
    """A folder that cannot be a case is an error that names it."""
    folder = tmp_path / "case"
    if broken != "no folder":
        _tiny_case(folder, 0.0)
    if broken == "no json":
        (folder / "case.json").write_text("{", encoding="utf-8")
    if broken == "truncated":
        stored = (folder / "outputs.safetensors").read_bytes()
        (folder / "outputs.safetensors").write_bytes(stored[:-3])
    if broken == "unknown kind":
        document = json.loads((folder / "case.json").read_text(encoding="utf-8"))
        document["kind"] = "video"
        (folder / "case.json").write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(LsrmError, match="case"):
        parity.run_case(folder)


def test_a_missing_weight_is_an_error(tmp_path: Path) -> None:
    """Weights load strictly: a case that lacks a parameter does not run on random numbers."""
    folder = _tiny_case(tmp_path / "case", 0.0)
    weights = load_file(folder / "weights.safetensors")
    weights.pop("volsdf.mlp_sdf.0.weight")
    save_file(weights, folder / "weights.safetensors")
    with pytest.raises(RuntimeError, match=r"sdf\.0\.weight"):
        parity.run_case(folder)
