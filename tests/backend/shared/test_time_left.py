# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Estimates of the overall progress and the remaining time of a job."""

from __future__ import annotations

import pytest

from backend.shared.time_left import MIN_SECONDS, TimeLeft


def test_estimates_learn_from_the_previous_job():
    """After one job the estimate of an equal one is exact; in the first it never decreases."""
    now = [0.0]
    left = TimeLeft("reconstruct", clock=lambda: now[0])
    stages = {"views": 2.0, "mesh": 6.0, "texture": 2.0}

    def run():
        for stage, seconds in stages.items():
            for step in range(5):
                yield left.report(stage, step / 4), now[0]
                now[0] += seconds / 5
        left.finish()

    guesses = [estimate.fraction for estimate, _ in run()]
    assert guesses == sorted(guesses)
    assert guesses[0] == 0.0
    start = now[0]
    left.begin()
    for estimate, at in run():
        spent = at - start
        if spent >= MIN_SECONDS and estimate.eta is not None:
            # A stage's fraction runs ahead of its time by one step of five here.
            assert estimate.eta == pytest.approx(10.0 - spent, abs=0.25 * 6.0 * 10.0 / spent)


def test_skipped_stages_do_not_count():
    """The estimate without network and refinement has only the seconds of the other stages."""
    etas = {}
    for refined in (False, True):
        now = [0.0]
        left = TimeLeft("reconstruct", clock=lambda now=now: now[0])
        for stage, seconds in (("views", 0.5), ("hull", 1.0)):
            left.report(stage, 0.0)
            now[0] += seconds
        etas[refined] = left.report("refine" if refined else "mesh", 0.0).eta
    assert etas[False] == pytest.approx(4.0 + 10.0 + 6.0 + 3.0)
    assert etas[True] == pytest.approx(35.0 + 4.0 + 10.0 + 6.0 + 3.0)


def test_unknown_stages_count():
    """Stages without a typical duration increase the fraction too, and never beyond 1."""
    left = TimeLeft("reconstruct")
    fractions = [left.report(stage, 1.0).fraction for stage in ("views", "dense stage", "write")]
    assert fractions == sorted(fractions)
    assert 0.0 < fractions[0] < fractions[-1] <= 1.0
    assert TimeLeft("something new").report("only stage", 0.5).fraction == 0.5
