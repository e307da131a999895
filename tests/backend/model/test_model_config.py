# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration: presets, strict reading, sizes that cannot be."""

from __future__ import annotations

import dataclasses
import json

import pytest

from backend.model.config.model_config import ModelConfig
from backend.model.config.presets import PRESETS, preset


@pytest.mark.parametrize("name", PRESETS)
def test_config_survives_json(name: str) -> None:
    """What is written to config.json is read back equal."""
    config = preset(name)
    assert ModelConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def _tiny() -> dict:
    return preset("tiny").to_dict()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda d: d["dense"]["encoder"].update(extra=1), r"dense\.encoder.*extra"),
        (lambda d: d["routing"].pop("window"), r"routing.*window"),
        (lambda d: d["sparse"].update(image_size="128"), r"sparse\.image_size.*'128'"),
        (lambda d: d["routing"].update(geometric=1), r"routing\.geometric"),
        (lambda d: d["sparse"]["transformer"].update(depth=True), r"transformer\.depth"),
        (lambda d: d.update(image_features="clip"), r"image_features.*clip"),
        (lambda d: d["dense"].update(heads={}), r"unknown keys \['heads'\]"),
        (lambda d: d["dense"].update(decoder=3), r"dense\.decoder"),
        (lambda d: d["dense"]["transformer"].update(skip_links=[9]), "skip_links"),
        (lambda d: d["dense"]["transformer"].update(skip_links="1"), "skip_links"),
        (lambda d: d["dense"]["transformer"].update(query_heads=7), "7 query heads"),
        (lambda d: d["dense"]["transformer"].update(fuse_dense=True), "fuse_dense"),
        (lambda d: d["dense"]["transformer"].update(attention="sparse"), "needs dense attention"),
        (lambda d: d["dense"]["encoder"].update(width=64), "64"),
        (lambda d: d["dense"]["decoder"].update(input_width=8), "8 channels"),
        (lambda d: d["dense"].update(image_size=130), "130"),
        (lambda d: d["selection"].update(block_size=3), "block_size 3"),
        (lambda d: d["sparse"]["transformer"].update(volume_resolution=30), "30 volume tokens"),
        (lambda d: d["sparse"]["transformer"].update(skip_links=[]), "skip links"),
        (lambda d: d.update(radius=1.0), "radius 1"),
    ],
)
def test_wrong_keys_types_and_sizes_are_errors(change: object, complaint: str) -> None:
    """A wrong key, type or size is an error that names the key and the value."""
    data = _tiny()
    change(data)
    with pytest.raises(ValueError, match=complaint):
        ModelConfig.from_dict(data)


def test_unknown_preset_is_refused() -> None:
    """The error for an unknown preset lists the known ones."""
    with pytest.raises(ValueError, match="lsrm-rgb, lsrm-pbr, tiny"):
        preset("maxi")


def test_image_blocks_follow_the_configured_views() -> None:
    """QUIRK 10: 64 blocks for rgb, 72 for pbr, whatever the number of views of a job."""
    assert preset("lsrm-rgb").routing.image_blocks == 64
    assert preset("lsrm-pbr").routing.image_blocks == 72


def test_configurations_are_frozen() -> None:
    """A configuration cannot be changed after it is made."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        preset("tiny").name = "other"
