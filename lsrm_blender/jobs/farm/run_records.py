# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the logs of all runs of an output folder say."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .signs_of_life import HEARTBEAT, LOGS, SignsOfLife, read_heartbeat

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOG = "log.jsonl"


@dataclass
class RunRecord:
    """What the log of one run says.

    Attributes:
        name: of the run.
        begin: the facts of its beginning: time, shard, host, process, number of items.
        ends: the last event of every item that it has finished, by the item's name; `stored` says
            whether the item has a status, too.
        done: how often it has converted each item.
        exit_code: None if it has not come to its end.
        running: whether it still may.
    """

    name: str
    begin: dict[str, Any] = field(default_factory=dict)
    ends: dict[str, dict[str, Any]] = field(default_factory=dict)
    done: Counter[str] = field(default_factory=Counter)
    exit_code: int | None = None
    running: bool = False

    def to_dict(self) -> dict[str, Any]:
        """The run in a report."""
        states = Counter(event["state"] for event in self.ends.values())
        facts = {
            name: self.begin.get(name) for name in ("time", "shard", "host", "process", "items")
        }
        end = {"exit_code": self.exit_code, "running": self.running}
        return {"run": self.name, **facts, "states": dict(states), **end}


def read_runs(output: Path, signs: SignsOfLife) -> list[RunRecord]:
    """The runs of an output folder, the oldest first.

    Args:
        output: the output folder.
        signs: looks at the signs of life of runs without an end.
    """
    folders = [log.parent for log in (output / LOGS).glob(f"*/{LOG}")]
    return sorted((_read_run(each, signs) for each in folders), key=lambda run: run.begin["time"])


def _read_run(folder: Path, signs: SignsOfLife) -> RunRecord:
    run = RunRecord(folder.name, {"time": 0.0})
    for event in _events(folder / LOG):
        name = event["event"]
        if name == "begin":
            run.begin = event
        elif name == "end":
            run.ends[event["item"]] = event
            run.done[event["item"]] += event["state"] == "done"
        elif name == "summary":
            run.exit_code = event["exit_code"]
    holder = read_heartbeat(folder) if run.exit_code is None else None
    run.running = holder is not None and not signs.is_gone(holder, folder / HEARTBEAT)
    return run


def _events(log: Path) -> Iterator[dict[str, Any]]:
    """The lines of a log; a killed process may have left the last one unfinished."""
    with log.open(encoding="utf-8") as lines:
        for line in lines:
            try:
                yield json.loads(line)
            except ValueError:
                continue
