# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Full-size models, built without memory, against the parameter lists of the release."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import torch

from backend.model.config.presets import preset
from backend.model.release.names import MODULES, from_release
from backend.model.stage import Stage

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("stage_name", ["dense", "sparse"])
@pytest.mark.parametrize(("name", "released"), [("lsrm-rgb", "rgb"), ("lsrm-pbr", "brdf")])
def test_parameters_equal_the_manifest(
    shared: Path, name: str, released: str, stage_name: str
) -> None:
    """The parameters of the release and of LSRM are the same, with equal shapes."""
    path = shared / "golden" / "manifest" / f"{released}_{stage_name}.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    with torch.device("meta"):
        stage = Stage(getattr(preset(name), stage_name))
    found = {key: list(value.shape) for key, value in stage.state_dict().items()}
    wanted = {
        f"{MODULES[module]}.{from_release(MODULES[module], key)}": shape
        for module, parameters in manifest["modules"].items()
        for key, (shape, _dtype) in parameters.items()
    }
    assert found == wanted
    assert sum(p.numel() for p in stage.parameters()) == manifest["parameter_count"]


def test_tiny_is_small() -> None:
    """Both stages of `tiny` stay below 20 million parameters, 40 MB in 16 bit."""
    config = preset("tiny")
    with torch.device("meta"):
        stages = [Stage(config.dense), Stage(config.sparse)]
    count = sum(p.numel() for stage in stages for p in stage.parameters())
    assert count <= 20_000_000
    assert config.image_features == "none"
