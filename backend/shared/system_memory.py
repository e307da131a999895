# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The total and available main memory of this computer; standard library only."""

from __future__ import annotations

import os
from pathlib import Path


def total_memory() -> int | None:
    """Bytes of main memory; None where the system does not report it."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return None


def available_memory() -> int | None:
    """Bytes that can be allocated without swapping; None where the system does not report it."""
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    except OSError:
        return None
    kibibytes = {line.split(":")[0]: line.split()[1] for line in lines}
    return int(kibibytes["MemAvailable"]) * 1024
