# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The history of the quality benchmark: one line of JSON for each run."""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.shared.virtual_environments import ROOT

if TYPE_CHECKING:
    import argparse

FILE_NAME = "quality-history.jsonl"


def origin() -> dict[str, Any]:
    """When, from which commit and on which machine a run was made."""
    return {
        "date": dt.datetime.now(tz=dt.UTC).date().isoformat(),
        "commit": _commit(),
        "machine": {
            "processor": _processor(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
        },
    }


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """The options that change results."""
    return {
        "refine": options.refine,
        "material": options.material,
        "relight": [Path(light).name for light in options.relight],
    }


def append(document: dict[str, Any], path: Path) -> None:
    """Add the means of a run to the history.

    Args:
        document: of the run.
        path: the file with a line for each run; made if it is missing.
    """
    record = {key: document[key] for key in ("date", "commit", "machine", "refine", "material")}
    record |= {"relight": document["relight"], "objects": sorted(document["objects"])}
    record["means"] = {
        group: {measure: value["mean"] for measure, value in measures.items()}
        for group, measures in document["summary"].items()
    }
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")


def _commit() -> str:
    """The commit of this clone, marked if files differ from it; empty without git."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=9", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip()


def _processor() -> str:
    """The name of the processor."""
    try:
        found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text("utf-8"))
    except OSError:
        found = None
    return found[1] if found else platform.processor()
