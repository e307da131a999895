# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Terminal output: text and progress on stderr, one JSON document on stdout; and Ctrl-C."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

from .exit_codes import exit_code

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .errors import LsrmError
    from .progress import Progress


def say(text: str) -> None:
    """Print text for people on stderr, unbuffered."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def print_json(document: Any) -> None:
    """Print a JSON document for programs on stdout."""
    sys.stdout.write(json.dumps(document, indent=2) + "\n")
    sys.stdout.flush()


def print_error(error: LsrmError, *, as_json: bool) -> int:
    """Print an error on stderr, and as JSON on stdout if requested; returns its exit code."""
    say(f"{error.code}: {error.message}\n{error.remedy}")
    if as_json:
        print_json({"error": error.to_dict()})
    return exit_code(error)


class PlainProgress:
    """Progress as two lines for each stage, at its beginning and end: for logs and pipes."""

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


@contextlib.contextmanager
def cancel_on_interrupt(progress: Progress) -> Iterator[None]:
    """Cancel a job at the first Ctrl-C or SIGTERM; a second one has its usual effect."""
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
