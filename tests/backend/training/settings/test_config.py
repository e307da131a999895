# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configurations are read strictly, and name what is wrong in them."""

from __future__ import annotations

import pytest

from backend.shared.errors import BadRequest
from backend.training.settings.config import BUILT_IN, merged, read_config
from tests.training_samples import DENSE, SPARSE, tiny_training

TEXT = """
name = "one"
model = {{ preset = "tiny", dense = {{ image_size = 64 }} }}
[[phases]]
name = "dense"
stage = "dense"
steps = 5
{more}
"""


def read(folder, more=""):
    path = folder / "one.toml"
    path.write_text(TEXT.format(more=more), "utf-8")
    return read_config(str(path))


def test_a_file_says_what_differs(tmp_path):
    """Everything else has a default, or comes from the preset."""
    config = read(tmp_path, "views = { inputs = [2, 3], crop = 128 }")
    phase = config.phases[0]
    model = config.model_of(phase)
    assert (phase.views.inputs, phase.rate.peak) == ((2, 3), 4e-4)
    assert (model.dense.image_size, model.sparse.image_size) == (64, 128)
    assert model.dense.inverse_std == 200  # where the schedule ends
    assert model.name == "one"


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ("speed = 3", "speed"),
        ('steps_ = 3\nlosses = { rgb = "much" }', "steps_"),
        ('losses = { rgb = "much" }', "losses.rgb"),
        ("views = { inputs = [1, 2, 3] }", "2 values"),
        ('precision = "float16"', "float16"),
        ("model = { dense = { image_sise = 3 } }", "image_sise"),
        ("model = { dense = { image_size = 13 } }", "no multiple"),
        ("occupancy = 32", "no coarse field"),
        ("views = { crop = 300 }", "cuts 300 pixels"),
        ('start = "sparse"\n[[phases]]\nname = "sparse"\nstage = "dense"\nsteps = 1', "precede"),
        ('[[phases]]\nname = "dense"\nstage = "dense"\nsteps = 1', "a name of its own"),
        ('[[phases]]\nname = "fine"\nstage = "sparse"\nsteps = 1', "no `coarse`"),
        ("steps = 6", "one.toml"),  # a key twice is no TOML
    ],
)
def test_mistakes_are_named(tmp_path, more, named):
    """The artist of a configuration finds the line."""
    with pytest.raises(BadRequest, match=named):
        read(tmp_path, more)


def test_a_missing_file_is_named_with_the_built_in_ones():
    """Their names are what may be typed instead."""
    with pytest.raises(BadRequest, match="no configuration nothing"):
        read_config("nothing")


@pytest.mark.parametrize("name", [each.stem for each in BUILT_IN.glob("*.toml")])
def test_built_in_configurations_can_be_used(name):
    """Every phase has a model whose parts fit together."""
    config = read_config(name)
    assert all(config.model_of(phase).name == config.name for phase in config.phases)


def test_a_phase_changes_the_model_of_the_others_in_its_own_way():
    """The resolution grows from phase to phase; the preset may change for materials."""
    fine = {"sparse": {"transformer": {"volume_resolution": 16}}}
    config = tiny_training(DENSE, SPARSE)
    grown = config.model_of(type(SPARSE)(**{**vars(SPARSE), "model": fine}))
    assert grown.sparse.transformer.volume_resolution == 16
    assert config.model_of(SPARSE).sparse.transformer.volume_resolution == 4
    materials = {"preset": "lsrm-pbr", "dense": {"encoder": {"feature_width": 8}}}
    found = tiny_training(DENSE).model_of(type(DENSE)(**{**vars(DENSE), "model": materials}))
    assert found.dense.encoder.background
    assert found.dense.encoder.width == 16


def test_tables_are_merged_and_the_base_stays():
    """Numbers and lists are replaced."""
    base = {"a": {"b": 1, "c": [1, 2]}, "d": 4}
    assert merged(base, {"a": {"c": [3]}, "e": 5}) == {"a": {"b": 1, "c": [3]}, "d": 4, "e": 5}
    assert base["a"]["c"] == [1, 2]
