# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A layer part by part: its parts are the layer, and what they leave over is said."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from benchmarks.kernels import timings
from benchmarks.kernels.card import Card, ClockLog
from benchmarks.kernels.layer import KINDS, PASSES, random_layer, time_layer, walk_layer
from benchmarks.kernels.report import report_layer
from benchmarks.kernels.scene import scene_of, toy_views
from benchmarks.kernels.timings import Stopwatch

CARD = Card(132, 1.7, 4e5, 4e12, 24.2)
WIDTH = 64


@pytest.fixture(scope="module")
def layer():
    """A layer of two heads on the toy at 16^3 from four sides."""
    return random_layer(scene_of(toy_views(4), "toy", 16), WIDTH)


@pytest.fixture
def watch(monkeypatch):
    """A stopwatch of a pretended GPU at 1.5 GHz, on which everything takes 2 ms."""

    def two_milliseconds(call, _patience):
        call()
        return 0.002

    monkeypatch.setattr(timings, "clock", two_milliseconds)
    log = ClockLog(lambda: 1.5)
    monkeypatch.setattr(log, "between", lambda *_: 1.5)
    return Stopwatch(CARD, log)


def test_the_parts_are_the_layer(layer):
    """What they compute one after the other is what the layer computes, to the bit."""
    block, streams, plan = layer
    parts, found = walk_layer(block, streams, plan)
    with torch.no_grad():
        wanted = block(*streams, plan)
    assert all(map(torch.equal, found, wanted))
    count = Counter(part.kind for part in parts)
    assert set(count) == set(KINDS)
    assert (count["selected"], count["compressed"], count["window"]) == (4, 4, 2)
    assert (count["gates"], count["compression"]) == (2, 8)
    # Of each stream: query, key, value, gates of two directions and between them, output, MLP.
    assert count["products"] == 2 * 9
    assert len({part.name for part in parts}) == len(parts)
    parameters = {id(each) for part in parts for each in part.parameters}
    assert parameters == {id(each) for each in block.parameters()}


@pytest.mark.parametrize("pass_name", PASSES)
def test_the_sum_of_the_parts_beside_the_whole(layer, watch, pass_name):
    """Every part has its time, clock and bounds; the rest of the layer is a number of its own."""
    times = time_layer(*layer, watch, pass_name)
    assert sum(times.sums.values()) == pytest.approx(2 * len(times.parts))
    assert times.not_accounted == pytest.approx(2 - 2 * len(times.parts))
    for row in times.parts:
        assert row.gigahertz == 1.5
        assert row.share_of_bound == pytest.approx(max(row.bounds.values()) / 2)
        assert row.bounds["memory"] > 0
        attends = any(kind in row.name for kind in (", selected", ", window", ", compressed,"))
        assert (row.bounds["exponents"] > 0) == attends
    total = sum(max(row.bounds.values()) for row in times.parts)
    assert times.whole.share_of_bound == pytest.approx(total / 2)


def test_on_a_cpu_there_are_times_and_no_bounds(layer, monkeypatch, capsys):
    """The same table without a clock, which says so; a pass that needs more memory is named."""
    monkeypatch.setattr(timings, "clock", lambda _call, _patience: 0.001)
    found = report_layer(layer, Stopwatch())
    said = capsys.readouterr().err
    assert "Clock and bounds: not measured on a GPU." in said
    assert "not accounted for" in said
    assert found["card"] is None
    forward = found["passes"]["forward"]
    assert forward["not_accounted_milliseconds"] == pytest.approx(1 - len(forward["parts"]))
    assert all(row["bounds"] == {} and row["share_of_bound"] is None for row in forward["parts"])

    def failing(*_):
        raise torch.OutOfMemoryError("no room")

    monkeypatch.setattr(timings, "clock", failing)
    assert report_layer(layer, Stopwatch())["passes"]["forward"] == {"missing": "no room"}
