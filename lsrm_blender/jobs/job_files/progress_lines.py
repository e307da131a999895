# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress as lines of text: for people, and for the engines of Open Job Description."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ....backend.shared.terminal import say

if TYPE_CHECKING:
    from collections.abc import Callable

    from ....backend.shared.progress import ProgressListener

ITEMS = "items"
"""The stage whose fraction is that of all items of a batch."""


def print_progress(stage: str, fraction: float, message: str) -> None:
    """Print a report of progress on stderr, for people."""
    say(f"{stage} {100 * fraction:3.0f} %  {message}")


class OpenJdProgress:
    """Receives the progress of a batch, and writes lines that an engine reads from stdout.

    The engine shows one number, the share of the items, and one line, what is done now.

    Args:
        write: to the standard output.
        listener: receives every report, too.
    """

    def __init__(self, write: Callable[[str], None], listener: ProgressListener) -> None:
        self._write = write
        self._listener = listener

    def __call__(self, stage: str, fraction: float, message: str) -> None:
        """Receive one report."""
        self._listener(stage, fraction, message)
        text = " ".join(f"{stage} {100 * fraction:.0f} % {message}".split())
        if stage == ITEMS:
            self._write(f"openjd_progress: {100 * fraction:.1f}\n")
        self._write(f"openjd_status: {text}\n")
