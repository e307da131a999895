# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress bars on a terminal, one for each stage, drawn by tqdm."""

from __future__ import annotations

import sys
from typing import Any

from tqdm import tqdm

from ..shared.terminal import PlainProgress


class BarProgress:
    """A progress bar for each stage, for terminals."""

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
        if self._bar is not None:
            self._bar.close()
        layout = "{desc:<14}{percentage:4.0f}% {bar:24} {elapsed} {postfix}"
        self._bar = tqdm(total=1.0, desc=stage, bar_format=layout, file=sys.stderr)
        self._stage = stage


def progress_on_terminal() -> PlainProgress | BarProgress:
    """Progress bars if stderr is a terminal, else lines."""
    return BarProgress() if sys.stderr.isatty() else PlainProgress()
