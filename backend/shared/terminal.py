# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a terminal shows: words and progress on stderr, one JSON document on stdout, Ctrl-C.

Standard library only until a progress bar is drawn.
"""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .progress import Progress


def say(text: str) -> None:
    """Tell people something, at once."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def print_json(document: Any) -> None:
    """Answer a program."""
    sys.stdout.write(json.dumps(document, indent=2) + "\n")
    sys.stdout.flush()


class PlainProgress:
    """A line when a stage begins and one when it ends: for logs and pipes."""

    def __init__(self) -> None:
        self._stage = ""
        self._started = 0.0

    def __call__(self, stage: str, fraction: float, message: str) -> None:
        """Receive one report."""
        if stage != self._stage:
            self._stage, self._started = stage, time.perf_counter()
            say(f"{stage} …")
        elif fraction == 1:
            say(f"{stage} done in {time.perf_counter() - self._started:.1f} s {message}".rstrip())


class BarProgress:
    """One bar for each stage: for people."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._stage = ""

    def __call__(self, stage: str, fraction: float, message: str) -> None:
        """Receive one report."""
        if stage != self._stage:
            self._start(stage)
        self._bar.set_postfix_str(message, refresh=False)
        self._bar.update(fraction - self._bar.n)
        if fraction == 1:
            self._bar.close()

    def _start(self, stage: str) -> None:
        from tqdm import tqdm

        if self._bar is not None:
            self._bar.close()
        layout = "{desc:<14}{percentage:4.0f}% {bar:24} {elapsed} {postfix}"
        self._bar = tqdm(total=1.0, desc=stage, bar_format=layout, file=sys.stderr)
        self._stage = stage


def progress_on_terminal() -> PlainProgress | BarProgress:
    """Bars where someone is looking, lines where the words go to a file."""
    return BarProgress() if sys.stderr.isatty() else PlainProgress()


@contextlib.contextmanager
def cancelled_by_interrupt(progress: Progress) -> Iterator[None]:
    """Let Ctrl-C or a termination request cancel the job in its own time; a second one ends it."""
    previous = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def cancel(_number: int, _frame: object) -> None:
        for number, handler in previous.items():
            signal.signal(number, handler)
        progress.cancel()
        say("Stopping …")

    for number in previous:
        signal.signal(number, cancel)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
