# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a batch logs and reports of its items."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from ....backend.shared import exit_codes
from .statuses import DONE, FAILED, POISONED, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from .items import Item

SUMMARY = "summary.json"

WAITING, HELD, SKIPPED = "waiting", "held", "skipped"
"""Outcomes of an item that a batch has not converted; the others are states of its status."""


class BatchLog:
    """The log of a batch: JSON lines in a file, and lines of text for people.

    Args:
        path: of the JSON lines; None writes none.
        print_line: receives a line for people.

    Attributes:
        say: prints a line for people.
    """

    def __init__(self, path: Path | None, print_line: Callable[[str], None]) -> None:
        self.say = print_line
        self._path = path

    def event(self, name: str, **facts: Any) -> None:
        """Write a JSON line."""
        if self._path is not None:
            line = json.dumps({"time": round(time.time(), 3), "event": name, **facts})
            with self._path.open("a", encoding="utf-8") as log:
                log.write(line + "\n")


def exit_code(states: Collection[str], left: Collection[str]) -> int:
    """The exit code of a batch that has come to its end.

    Args:
        states: of its items.
        left: those of items that another run may convert.
    """
    if any(state in left for state in states):
        return exit_codes.RUN_AGAIN
    return exit_codes.FAILED if FAILED in states or POISONED in states else exit_codes.DONE


def entry_of(item: Item, status: Status) -> dict[str, Any]:
    """An item's entry in the summary."""
    return {
        "name": item.name,
        "source": status.source,
        "state": status.state,
        "seconds": status.seconds,
        "error": status.error,
        "warnings": status.result["warnings"] if status.result is not None else [],
    }


def outcome_of(status: Status) -> str:
    """The outcome of an item, for people."""
    if status.state == DONE and status.result is not None:
        counts = status.result["counts"]
        unit = "faces" if "faces" in counts else "views"
        text = f"done in {status.seconds:.0f} s: {counts.get(unit, 0)} {unit}"
        return "\n".join([text, *(f"  Warning: {each}" for each in status.result["warnings"])])
    if status.state == HELD and status.error is not None:
        return f"is not converted: {status.error['message']}"
    if status.state in (FAILED, POISONED) and status.error is not None:
        error, what = status.error, {FAILED: "failed", POISONED: "is set aside"}[status.state]
        return f"{what}, {error['code']}: {error['message']} {error['remedy']}"
    return status.state
