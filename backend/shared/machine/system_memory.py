# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The total and available main memory of this computer; standard library only."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def total_memory() -> int | None:
    """Bytes of main memory; None where the system does not report it."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return None


def available_memory() -> int | None:
    """Bytes that can be allocated without swapping; None where the system does not report it.

    The tasks of a farm and containers may have less than the computer: the limits of their control
    groups count.
    """
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    except OSError:
        return None
    kibibytes = {line.split(":")[0]: line.split()[1] for line in lines}
    in_computer = int(kibibytes["MemAvailable"]) * 1024
    return min([in_computer, *available_in_groups(Path("/proc/self/cgroup"))])


def available_in_groups(membership: Path, root: Path = Path("/sys/fs/cgroup")) -> Iterator[int]:
    """Bytes below the limit of the control group of a process, and of those around it (version 2).

    Args:
        membership: the file that names the group.
        root: the folder of all groups.
    """
    try:
        group = membership.read_text("utf-8", "replace").rpartition("0::/")[2].strip()
    except OSError:
        return
    for folder in (root / group, *(root / group).parents):
        try:
            limit = (folder / "memory.max").read_text("ascii").strip()
            used = int((folder / "memory.current").read_text("ascii"))
            counters = (folder / "memory.stat").read_text("ascii").split()
        except OSError:  # the root has no limit, and above it are no groups
            continue
        if limit != "max":
            # Cached files make room for programs, but for those in use.
            unused = dict(zip(counters[::2], counters[1::2], strict=True))["inactive_file"]
            yield max(0, int(limit) - used + int(unused))
