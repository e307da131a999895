# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The seconds that a step and its task have left, in the recorded progress of ten jobs, too."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.time_left.replay import MEASURED, replay

RECORDING = Path(__file__).parents[3] / "benchmarks" / "time_left" / "recording.json"


@pytest.fixture
def make_step_time(lsrm):
    """A function that makes the time of a step, and the clock that it looks at."""

    def make(expected):
        now = [0.0]
        return lsrm("lsrm_blender.jobs.time_left").StepTime(expected, lambda: now[0]), now

    return make


def test_what_is_expected_becomes_what_is_measured(make_step_time):
    """At first the expectation holds, later the pace; a late stage is never over already."""
    step, now = make_step_time({"": 1.0, "views": 2.0, "mesh": 6.0, "write": 1.0})
    assert step.left == 10.0
    now[0] = 0.5
    assert step.left == 9.5
    step.report("mesh", 0.0)  # the views were skipped
    assert step.left == 7.0
    now[0] = 10.5
    assert 1.5 < step.left < 3.0
    step.report("mesh", 0.9)
    assert step.left == pytest.approx(1.0 + 10.0 / 9.0, abs=0.2)
    step.report("something new", 0.0)
    now[0] = 11.0
    assert step.left == pytest.approx(1.5)
    step.report("write", 1.0)
    assert step.left == 0.0
    step.finish()
    assert step.spent == {"": 0.5, "mesh": 10.0, "something new": 0.5, "write": 0.0}


def test_recorded_jobs(lsrm, tmp_path):
    """After the first tenth of a job its time left is right, once this computer is known."""
    jobs = json.loads(RECORDING.read_text("utf-8"))
    accuracies = replay(jobs, lsrm, tmp_path / "costs.json")
    assert len(accuracies) > MEASURED
    for accuracy in accuracies[-MEASURED:]:
        assert accuracy.worst < 2.5, accuracy
        assert accuracy.within > 0.8, accuracy
        assert accuracy.first < 1.5 * accuracy.true, accuracy
