# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody who helps must know of a job that has failed, without who it has failed for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path, PurePath

LOG_LINES = 60
"""Of the end of the log."""

HOME = "~"


def problem_report(facts: Mapping[str, str], log: Path | None, home: Path) -> str:
    """Facts, one on each line, and the end of a log; the home folder is left out.

    Args:
        facts: by what they are about; empty ones are left out.
        log: of the child process, if there is one.
        home: the user's folder, whose name is mostly that of the user.
    """
    lines = [f"{name}: {fact}" for name, fact in facts.items() if fact]
    if log is not None:
        lines += ["", f"{log}:", *_end_of(log)]
    return without_home("\n".join(lines), home)


def without_home(text: str, home: PurePath) -> str:
    """A text with ~ for the home folder, however its path is written."""
    if len(home.parts) < 2:  # of a user who has none: all paths begin with it
        return text
    separator = r"(?:/|\\{1,2})"  # one of Windows is two in what repr and JSON write
    names = separator.join(re.escape(part) for part in home.parts[1:])
    drive = re.escape(home.drive)
    # Not the beginning of a longer name; a dot with nothing behind it ends a sentence.
    pattern = re.compile(rf"(?<![\w.]){drive}{separator}{names}(?![\w-]|\.\w)", re.IGNORECASE)
    return pattern.sub(HOME, text)


def _end_of(log: Path) -> list[str]:
    """The last lines of a log; a sentence if there is none."""
    try:
        return log.read_text("utf-8", "replace").splitlines()[-LOG_LINES:]
    except OSError:
        return ["The log is gone."]
