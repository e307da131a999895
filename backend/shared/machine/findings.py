# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a check of this computer has found, for people and for programs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        name: of what was checked.
        ok: whether it is as it should be.
        found: what was found, for people.
        remedy: what to do if it is not ok.
        needed: whether nothing works without it.
    """

    name: str
    ok: bool
    found: str
    remedy: str = ""
    needed: bool = True

    def __str__(self) -> str:
        line = f"{'✓' if self.ok else '✗'} {self.name:<13} {self.found}"
        return line if self.ok else f"{line}\n  {'':<13} → {self.remedy}"

    def to_dict(self) -> dict[str, Any]:
        """The finding as JSON, which `Finding` takes again."""
        return asdict(self)
