# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A worker of a farm as a program: `convert`, but for its children, which only pretend to work.

Usage: stand_in_worker.py ASSETS OUT SHARD SECONDS [DEADLY …], where DEADLY are items that kill it;
or stand_in_worker.py --merge OUT.
"""

from __future__ import annotations

import importlib
import os
import re
import signal
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[4]
sys.path.insert(0, str(REPOSITORY))

from lsrm_blender import entry  # noqa: E402 - the path is set above


def module(name: str):
    """A module of the extension, in the package that Blender makes of it."""
    return importlib.import_module(f"{entry.PACKAGE}.{name}")


class StandIn:
    """A child process that answers after some time, or takes its parent with it.

    Args:
        seconds: that each request takes.
        deadly: the items at which the whole worker dies.
    """

    child = None

    def __init__(self, seconds: float, deadly: set[str]) -> None:
        self._seconds, self._deadly = seconds, deadly

    def submit(self, _method: str, params: dict) -> dict:
        """Pass on the parameters."""
        return params

    def pump(self) -> None:
        """Nothing to receive."""

    def wait(self, params: dict, _progress, beside=None) -> dict:
        """Pretend to work."""
        folder = Path(params["output"])
        if folder.parent.name in self._deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(self._seconds)
        folder.mkdir(exist_ok=True)
        for name in ("mesh.glb", "report.json"):
            (folder / name).touch()
        return {"report": {"counts": {}, "metrics": {}, "seconds": 0, "warnings": []}}

    def close(self) -> None:
        """Nothing to end."""


def main(arguments: list[str]) -> int:
    """Convert a shard, or merge the report; returns the exit code."""
    if arguments[0] == "--merge":
        entry.load_package()
        merge = module("lsrm_blender.jobs.batch.merged_report").merge_report
        return merge(Path(arguments[1]))["exit_code"]
    assets, out, shard, seconds, *deadly = arguments
    entry.load_package()
    batch, items = module("lsrm_blender.jobs.batch.batch"), module("lsrm_blender.jobs.batch.items")
    plans, runs = module("lsrm_blender.jobs.farm.plans"), module("lsrm_blender.jobs.farm.runs")
    module("lsrm_blender.jobs.batch.conversion").check_mesh = lambda _path: None
    output = Path(out)
    found = items.find_items([assets], (".glb",), output)
    settings = module("lsrm_blender.jobs.batch.settings").BatchSettings()
    part = module("lsrm_blender.jobs.farm.shards").shard_setting(shard)
    child = StandIn(float(seconds), set(deadly))
    planned = [plans.PlannedItem(each.name, str(each.source), settings.digest) for each in found]
    plans.write_plan(output, [assets], planned)
    with runs.Run(output, part) as run:
        log = batch.BatchLog(run.folder / "log.jsonl", lambda text: sys.stdout.write(f"{text}\n"))
        mine = [each for each in found if part.has(each.name)]
        work = batch.Batch(mine, run, settings, batch.Children(child, child), log)
        return work.run(module("backend.shared.progress").Progress())["exit_code"]


def note_memory(output: Path) -> None:
    """Write the peak memory of this process in KiB; its parent would read that of its own, too."""
    status = Path("/proc/self/status")
    if not status.is_file():
        return
    (peak,) = re.findall(r"VmHWM:\s+(\d+) kB", status.read_text())
    output.with_name(f"{output.name}.memory-{os.getpid()}").write_text(peak)


if __name__ == "__main__":
    code = main(sys.argv[1:])
    note_memory(Path(sys.argv[2]))
    sys.exit(code)
