# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans: which items a batch has, whoever converts them; so a report knows what was never begun.

There is one plan for each set of inputs. All shards of a batch have the same inputs and find the
same items, so they write the same plan; it is replaced when items are added or removed.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ....backend.shared.atomic_folder import write_file_atomically
from .signs_of_life import LOGS

if TYPE_CHECKING:
    from collections.abc import Sequence

PLAN_PREFIX, PLAN_SUFFIX = "plan-", ".jsonl"


@dataclass(frozen=True)
class PlannedItem:
    """An item of a plan.

    Attributes:
        name: of the item.
        source: its 3D file.
        settings: the digest of the settings with which it is to be converted.
    """

    name: str
    source: str
    settings: str


def write_plan(output: Path, inputs: Sequence[str], items: Sequence[PlannedItem]) -> None:
    """Store the plan of a batch in its output folder, unless it is there already.

    Args:
        output: the output folder.
        inputs: as on the command line.
        items: that were found in them, in their order; of like settings.

    Raises:
        OSError: if it cannot be written.
    """
    absolute = [str(Path(text).absolute()) for text in inputs]
    identity = hashlib.sha256(json.dumps(absolute).encode()).hexdigest()[:16]
    path = output / LOGS / f"{PLAN_PREFIX}{identity}{PLAN_SUFFIX}"
    head = {"inputs": absolute, "settings": items[0].settings if items else ""}
    lines = [json.dumps(head), *(json.dumps([item.name, item.source]) for item in items)]
    data = ("\n".join(lines) + "\n").encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_file() and path.read_bytes() == data:
        os.utime(path)  # the plan that was used last counts
    else:
        write_file_atomically(path, data)


def read_plans(output: Path) -> dict[str, PlannedItem]:
    """The items of all plans of an output folder, by name; later plans replace earlier ones."""
    logs = output / LOGS
    paths = sorted(logs.glob(f"{PLAN_PREFIX}*{PLAN_SUFFIX}"), key=lambda path: path.stat().st_mtime)
    found: dict[str, PlannedItem] = {}
    for path in paths:
        head, *lines = path.read_text("utf-8").splitlines()
        settings = json.loads(head)["settings"]
        found |= {
            name: PlannedItem(name, source, settings) for name, source in map(json.loads, lines)
        }
    return found
