# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long work tells where it is, and learns that it should stop."""

from __future__ import annotations

import threading
from typing import Protocol

from .errors import Cancelled


class ProgressListener(Protocol):
    """Anything that wants to hear about progress: a bar, a pipe, a test."""

    def __call__(self, stage: str, fraction: float, message: str) -> None:
        """Receive one report."""


class Progress:
    """Reports of one job, and its cancel switch.

    Safe to cancel from another thread; the work itself calls `check` between its blocks.
    """

    def __init__(self, listener: ProgressListener | None = None) -> None:
        self._listener = listener
        self._cancelled = threading.Event()

    def report(self, stage: str, fraction: float, message: str = "") -> None:
        """Tell the listener how far a stage is, in 0..1.

        Raises:
            Cancelled: if the job was cancelled meanwhile.
        """
        self.check()
        if self._listener is not None:
            self._listener(stage, min(max(fraction, 0.0), 1.0), message)

    def cancel(self) -> None:
        """Ask the work to stop at its next check."""
        self._cancelled.set()

    def check(self) -> None:
        """Stop here if asked to.

        Raises:
            Cancelled: if `cancel` was called.
        """
        if self._cancelled.is_set():
            raise Cancelled("The job was cancelled.", "Start it again when you are ready.")
