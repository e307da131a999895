# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a fit is, and the seconds of its runs."""

from __future__ import annotations

import pytest

from backend.refine import fit_clock
from backend.refine.fit_clock import PREPARATION, USUAL_STOP, FitClock, PlannedRun
from backend.shared.progress import Progress

RUNS = (
    PlannedRun(140, may_stop=True),
    PlannedRun(240, may_stop=True),
    PlannedRun(240, may_stop=False),
)


def fractions_of(stops):
    """What a clock reports in every step, if the runs end after some steps."""
    reported = []
    clock = FitClock(
        600.0, RUNS, Progress(lambda _stage, fraction, _text: reported.append(fraction))
    )
    for run, stop in zip(RUNS, stops, strict=True):
        clock.begin_run()
        for step in range(round(stop * run.steps)):
            clock.report(step)
    return reported


def test_fractions_are_those_of_the_steps_if_runs_end_as_usual():
    """Every step counts the same, and what precedes a run counts as some steps."""
    reported = fractions_of((USUAL_STOP, USUAL_STOP, 1.0))
    total = 3 * PREPARATION + round(USUAL_STOP * 140) + round(USUAL_STOP * 240) + 240
    assert reported[0] == pytest.approx(PREPARATION / total)
    assert reported[10] == pytest.approx((PREPARATION + 10) / total)
    assert reported[-100] == pytest.approx(1.0 - 100 / total, abs=0.002)
    assert reported[-1] == pytest.approx(1.0 - 1 / total, abs=0.002)


@pytest.mark.parametrize("stops", [(0.2, 0.2, 1.0), (1.0, 1.0, 1.0), (0.6, 1.0, 0.5)])
def test_fractions_never_fall(stops):
    """Whether runs end early or late, and whatever follows."""
    reported = fractions_of(stops)
    assert reported == sorted(reported)
    assert 0.0 < reported[0] < reported[-1] < 1.0


def test_seconds_are_shared(monkeypatch):
    """A run gets an equal share of what is left, and one second at least."""
    now = [0.0]
    monkeypatch.setattr(fit_clock.time, "perf_counter", lambda: now[0])
    clock = FitClock(30.0, RUNS, Progress())
    assert clock.begin_run() == 10.0
    now[0] = 20.0
    assert clock.begin_run() == 5.0
    now[0] = 40.0
    assert clock.begin_run() == 1.0
