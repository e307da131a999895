# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The clock of a card during a run, and what bounds a run at that clock."""

from __future__ import annotations

import stat
import time
from types import SimpleNamespace

import pytest
import torch

from benchmarks.kernels import card as module
from benchmarks.kernels import timings
from benchmarks.kernels.card import Card, ClockLog, Work, read_clock
from benchmarks.kernels.machines import H100
from benchmarks.kernels.timings import Stopwatch

CARD = Card(H100.processors, H100.gigahertz, 790e12 / 1.755e9, 4.3e12, H100.cache_bytes)


def test_the_clock_of_a_run_is_the_median_of_its_readings():
    """Readings before and after it do not count."""
    clocks = iter([9.0, 1.5, 1.6, 1.4, *[0.1] * 1000])
    moments = []

    def read():
        moments.append(time.perf_counter())
        return next(clocks)

    with ClockLog(read) as log:
        while len(moments) < 5:
            time.sleep(0.01)
    assert log.between(moments[1], moments[4]) == 1.5
    assert log.between(0, moments[0]) is None


def test_a_clock_that_nothing_tells_is_none():
    """The log ends by itself."""
    with ClockLog(lambda: None) as log:
        pass
    assert log.between(0, time.perf_counter()) is None


@pytest.mark.parametrize(("text", "clock"), [("echo 1755", 1.755), ("echo [N/A]", None),
                                             ("exit 3", None)])  # fmt: skip
def test_the_clock_is_read_from_the_program_of_the_driver(tmp_path, monkeypatch, text, clock):
    """In GHz, of the card that torch uses."""
    program = tmp_path / "nvidia-smi"
    program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/arguments\n{text}\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    properties = SimpleNamespace(uuid="4-2")
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: properties)
    assert read_clock() == clock
    assert "--id=GPU-4-2 --query-gpu=clocks.sm" in (tmp_path / "arguments").read_text()
    monkeypatch.setattr(module.shutil, "which", lambda _: None)
    assert read_clock() is None


def test_bounds_follow_the_clock_of_the_run():
    """By hand, for an H100; memory has a clock of its own."""
    work = Work(exponentials=10**12, flops=79e12, cache_bytes=5.6e9, memory_bytes=4.3e9)
    bounds = CARD.bounds(work)
    assert bounds["exponents"] == pytest.approx(1e15 / (16 * 132 * 1.755e9))
    assert bounds["products"] == pytest.approx(100)
    assert bounds["memory"] == pytest.approx(1)
    assert bounds["L2"] == pytest.approx(1, rel=0.01)
    slow = CARD.bounds(work, 1.755 / 2)
    assert slow == pytest.approx({unit: 2 * ms for unit, ms in bounds.items()} | {"memory": 1})
    assert "L2" not in CARD.bounds(Work(flops=1.0))


def test_a_row_has_the_clock_of_its_own_time(monkeypatch):
    """And its share of what bounds it; without a GPU neither."""
    monkeypatch.setattr(timings, "clock", lambda *_: 0.2)
    work = Work(flops=79e12)
    with ClockLog(lambda: 1.755) as log:
        while log.between(0, time.perf_counter()) is None:
            time.sleep(0.01)
        monkeypatch.setattr(log, "between", lambda *_: 1.755 / 2)
        row = Stopwatch(CARD, log).row("a product", 1, work, lambda: None)
    assert (row.gigahertz, row.share_of_bound) == (1.755 / 2, pytest.approx(1))
    assert row.useful_tflops == pytest.approx(395)
    row = Stopwatch().row("a product", 1, work, lambda: None)
    assert (row.gigahertz, row.share_of_bound, row.bounds) == (None, None, {})
