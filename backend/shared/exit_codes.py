# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The exit codes of all commands, of the backend and of the add-on."""

from __future__ import annotations

from .errors import Cancelled, DeviceUnavailable, EnvironmentBroken, LsrmError

DONE = 0
FAILED = 1
"""The command, or some of its items, failed."""
USAGE = 2
ENVIRONMENT = 3
"""Something is missing on this computer."""
RUN_AGAIN = 4
"""Work is left, or other processes hold it: the same command continues it later."""
INTERRUPTED = 130
"""Stopped by the user; by the convention of shells 128 plus the number of SIGINT."""


def exit_code(error: LsrmError) -> int:
    """The exit code for an error."""
    if isinstance(error, (EnvironmentBroken, DeviceUnavailable)):
        return ENVIRONMENT
    return INTERRUPTED if isinstance(error, Cancelled) else FAILED
