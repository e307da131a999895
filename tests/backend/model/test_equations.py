# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A reader with the paper in hand finds its equations by number, and attention in two opens."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

ROOMS = ("backend/model", "backend/field", "kernels")


def numbers_in(text: str) -> set[int]:
    """The equations that "eq. (9)", "eqs. (5) and (6)" or "eqs. (10)-(12)" name."""
    found: set[int] = set()
    for mention in re.findall(r"[Ee]qs?\. ((?:\(\d+\)(?:-|, | and )?)+)", text):
        for first, last in re.findall(r"\((\d+)\)(?:-\((\d+)\))?", mention):
            found |= set(range(int(first), int(last or first) + 1))
    return found


def test_every_equation_is_named(repository: Path) -> None:
    """Equations (1) to (15) are each named where they are computed."""
    named: set[int] = set()
    for room in ROOMS:
        for path in (repository / room).rglob("*.py"):
            named |= numbers_in(path.read_text(encoding="utf-8"))
    assert named >= set(range(1, 16))


def test_attention_is_two_opens_away(repository: Path) -> None:
    """The main path names the file, and the file the branches of equations (1) and (2)."""
    pipeline = (repository / "backend" / "pipeline.py").read_text(encoding="utf-8")
    assert "backend/model/attention.py" in pipeline
    attention = (repository / "backend" / "model" / "attention.py").read_text(encoding="utf-8")
    assert {1, 2, 5, 6, 7, 8} <= numbers_in(attention)
    for branch in ("compressed", "selected", "window"):
        assert f"{branch}_attention(" in attention
