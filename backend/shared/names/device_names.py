# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that Windows keeps for devices: no file or folder can have them."""

from __future__ import annotations

PORTS = range(1, 10)
DEVICES = frozenset(
    {"con", "prn", "aux", "nul"}
    | {f"{kind}{number}" for kind in ("com", "lpt") for number in PORTS}
)


def not_a_device(name: str) -> str:
    """A name that differs from that of every device, on all systems alike: folders are moved.

    Windows looks at what precedes the first dot, in any case of letters.
    """
    stem, dot, rest = name.partition(".")
    return f"{stem}_{dot}{rest}" if stem.strip().lower() in DEVICES else name
