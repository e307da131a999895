# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the main thread of Blender is held up."""

from __future__ import annotations

import faulthandler
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO

INTERVAL = 0.02
"""Seconds between two calls of the timer, if nothing holds it up."""

REST = 0.015
"""Seconds of it that Blender sleeps: with simulated events its loop never does, and would take a
processor from the job."""

LIMIT = 0.3
"""Seconds that the window may stand still."""


@dataclass(frozen=True)
class Stall:
    """An interval in which no timer of Blender ran.

    Attributes:
        wall: its length in seconds.
        cpu: what the main thread computed in it; much less than `wall` where other programs, or
            the threads of a software OpenGL, had the processor.
    """

    wall: float = 0.0
    cpu: float = 0.0


def now() -> tuple[float, float]:
    """Wall time, and the processor time of this thread, in seconds."""
    return time.monotonic(), time.thread_time()


@dataclass
class StallTimer:
    """A timer of Blender that records the longest stall of every state.

    Attributes:
        state: the one that intervals count for; empty counts none.
        longest: the longest stall by state.
        last: wall and processor time of the last call.
        trace: a file for the Python functions that run while a stall lasts, if they are wanted.
    """

    state: str = ""
    longest: dict[str, Stall] = field(default_factory=dict)
    last: tuple[float, float] = field(default_factory=now)
    trace: TextIO | None = None

    def begin(self, state: str) -> None:
        """Let intervals count for a state from now on."""
        self.state = state
        self.forget()
        if self.trace is not None:
            self.trace.write(f"\n{state}\n")
            self.trace.flush()

    def tick(self) -> float:
        """The callback, which returns its next interval."""
        current = now()
        stall = Stall(current[0] - self.last[0], current[1] - self.last[1])
        if self.state and stall.wall > self.longest.get(self.state, Stall()).wall:
            self.longest[self.state] = stall
        time.sleep(REST)
        self.last = now()
        if self.trace is not None:  # by a thread of C: one of Python waits for the main thread
            faulthandler.dump_traceback_later(LIMIT, file=self.trace)
        return INTERVAL

    def forget(self) -> None:
        """Leave out what has passed since the last call, such as writing a screenshot."""
        self.last = now()
