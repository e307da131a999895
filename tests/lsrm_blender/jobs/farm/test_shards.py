# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shards: every item in exactly one, whatever items are added."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lsrm_blender.jobs.farm.shards import WHOLE, Shard


@settings(max_examples=25, deadline=None)
@given(st.sets(st.text(min_size=1), max_size=30), st.integers(1, 12))
def test_every_item_belongs_to_exactly_one_shard(names, count):
    """Nothing is left out and nothing is converted twice, also with names that no one expects."""
    shards = [Shard(number + 1, count) for number in range(count)]
    assert all(sum(shard.has(name) for shard in shards) == 1 for name in names)
    assert all(WHOLE.has(name) for name in names)


def test_shards_stay_the_same_on_all_machines():
    """The partition is part of the interface: machines of other versions must agree on it."""
    found = [number for number in range(20) if Shard(3, 4).has(f"chair{number}")]
    assert found == [2, 3, 4, 8, 12, 15, 17]


def test_shards_are_of_like_size():
    """A hash deals the items evenly."""
    sizes = [sum(Shard(i + 1, 4).has(f"asset_{n}") for n in range(2000)) for i in range(4)]
    assert min(sizes) > 450
    assert max(sizes) < 550


@pytest.mark.parametrize("text", ["0/4", "5/4", "4", "1/0", "-1/4", "1/4/2", "a/b", ""])
def test_wrong_shards_are_wrong_usage(lsrm, capsys, text):
    """A shard that does not exist is refused before anything starts."""
    parser = lsrm("lsrm_blender.commands.command_line").parser()
    with pytest.raises(SystemExit) as stop:
        parser.parse_args(["convert", "a.glb", "-o", "out", f"--shard={text}"])
    assert stop.value.code == 2
    assert "i/N" in capsys.readouterr().err


def test_a_shard_is_parsed(lsrm):
    """The option has numbers from one, as people count."""
    parser = lsrm("lsrm_blender.commands.command_line").parser()
    parsed = parser.parse_args(["convert", "a.glb", "-o", "out", "--shard", "2/8"])
    assert str(parsed.shard) == "2/8"
    assert str(parser.parse_args(["convert", "a.glb", "-o", "out"]).shard) == "1/1"
