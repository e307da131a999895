# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network sockets of a process, as /proc lists them."""

from __future__ import annotations

import contextlib
import ipaddress
import struct
from pathlib import Path

TABLES = ("tcp", "tcp6", "udp", "udp6")


def addresses_of(pid: int) -> list[str]:
    """The local address of each network socket of a process, one string each."""
    inodes = set()
    for link in Path(f"/proc/{pid}/fd").glob("*"):
        with contextlib.suppress(OSError):
            target = str(link.readlink())
            if target.startswith("socket:["):
                inodes.add(target[len("socket:[") : -1])
    found = []
    for table in TABLES:
        lines = Path("/proc/net", table).read_text("ascii").splitlines()[1:]
        rows = [line.split() for line in lines]
        found += [_address(row[1].partition(":")[0]) for row in rows if row[9] in inodes]
    return found


def _address(text: str) -> str:
    """An address as the tables have it: words of 32 bits, in the order of this machine."""
    words = [int(text[i : i + 8], 16) for i in range(0, len(text), 8)]
    address = ipaddress.ip_address(struct.pack(f"={len(words)}I", *words))
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)
