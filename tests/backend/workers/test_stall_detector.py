# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which workers hang, with stand-ins for processes and for the clock."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from backend.workers.stall_detector import BUSY_SECONDS, STALL_SECONDS, StallDetector


@dataclass
class Process:
    """A process whose activity the test sets."""

    used: float | None = 0.0
    waiting: bool = False

    def cpu_seconds(self):
        """As set."""
        return self.used

    @property
    def wants_to_run(self):
        """As set."""
        return self.waiting


def hanging_after(seconds, processes, *, rates, beats=(0, 1), wait_idle=True):
    """The workers found to hang by the end, looked at every tenth of a second."""
    detector = StallDetector(processes, 0.0)
    found = []
    for step in range(1, round(seconds * 10) + 1):
        now = step / 10
        for number, (process, rate) in enumerate(zip(processes, rates, strict=True)):
            if process.used is not None:
                process.used += rate / 10
            if number in beats and step % 10 == 0:
                detector.message_received(number, now)
        found = detector.hanging([0, 1], now, wait_idle=wait_idle)
        if found:
            break
    return found


def test_workers_that_compute_do_not_hang():
    """Nor does one that waits for another one, on the CPU."""
    assert hanging_after(30, [Process(), Process()], rates=(1.0, 1.0)) == []
    assert hanging_after(30, [Process(), Process()], rates=(1.0, 0.01)) == []


def test_idle_workers_hang():
    """On the CPU if none computes; on GPUs, where a worker polls while it waits, any idle one."""
    short, long = STALL_SECONDS - 1, STALL_SECONDS + 1
    assert hanging_after(short, [Process(), Process()], rates=(0.01, 0.01)) == []
    assert hanging_after(long, [Process(), Process()], rates=(0.01, 0.01)) == [0, 1]
    cards = {"rates": (1.0, 0.01), "wait_idle": False}
    assert hanging_after(long, [Process(), Process()], **cards) == [1]


def test_a_worker_without_heartbeats_hangs():
    """Soon if it does not compute, later if it does."""
    long = STALL_SECONDS + 1
    assert hanging_after(long, [Process(), Process()], rates=(1.0, 0.0), beats=(0,)) == [1]
    busy = {"rates": (1.0, 1.0), "beats": (0,)}
    assert hanging_after(long, [Process(), Process()], **busy) == []
    assert hanging_after(BUSY_SECONDS + 1, [Process(), Process()], **busy) == [1]


@pytest.mark.parametrize("beats", [(0, 1), (0,)])
def test_a_worker_that_gets_no_processor_does_not_hang(beats):
    """On a crowded machine a worker waits for a processor or a disk."""
    crowded = [Process(waiting=True), Process(waiting=True)]
    assert hanging_after(30, crowded, rates=(0.0, 0.0), beats=beats) == []


def test_unknown_processor_time():
    """Only heartbeats count where the system does not report it."""
    unknown = [Process(None), Process(None)]
    assert hanging_after(30, unknown, rates=(0, 0)) == []
    unknown = [Process(None), Process(None)]
    assert hanging_after(BUSY_SECONDS + 1, unknown, rates=(0, 0), beats=(0,)) == [1]
