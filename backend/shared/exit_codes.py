# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the commands return to the shell, on both sides."""

from __future__ import annotations

from .errors import Cancelled, DeviceUnavailable, EnvironmentBroken, LsrmError

DONE = 0
FAILED = 1
"""The work, or some items of it, failed."""
USAGE = 2
ENVIRONMENT = 3
"""The machine is not set up for it."""
INTERRUPTED = 130
"""Stopped by the user, as shells count it: 128 and the number of SIGINT."""


def exit_code(error: LsrmError) -> int:
    """The code for a failure."""
    if isinstance(error, (EnvironmentBroken, DeviceUnavailable)):
        return ENVIRONMENT
    return INTERRUPTED if isinstance(error, Cancelled) else FAILED
