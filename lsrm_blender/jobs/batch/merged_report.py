# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""One report of all that has been done in an output folder, whatever runs have done it."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ....backend.shared import exit_codes
from ....backend.shared.errors import BadRequest
from ..farm.holders import this_process
from ..farm.leases import lease_path, newest_lease, read_holder
from ..farm.plans import read_plans
from ..farm.run_records import RunRecord, read_runs
from ..farm.signs_of_life import LOGS, LeaseTimes, SignsOfLife
from .items import Item
from .log import HELD, SUMMARY, WAITING, entry_of, exit_code
from .statuses import DONE, FAILED, INTERRUPTED, POISONED, Status, read_status, write_json

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ..farm.plans import PlannedItem

STATES = (DONE, FAILED, POISONED, INTERRUPTED, HELD, WAITING)
MEANINGS = {
    exit_codes.DONE: "all are done",
    exit_codes.FAILED: "nothing is left to do",
    exit_codes.RUN_AGAIN: "run again what is left",
}
LEFT = {INTERRUPTED, HELD, WAITING}
"""States of items that another run will convert."""


def merge_report(output: Path, times: LeaseTimes | None = None) -> dict[str, Any]:
    """Join plans, statuses, leases and logs of an output folder, and store the report there.

    Args:
        output: the output folder.
        times: after which a silent process counts as gone.

    Returns:
        The report: an entry for every item and every run, the number of items in each state, and
        `exit_code`: 0 all are done, 1 some failed or are set aside, 4 some are left.

    Raises:
        BadRequest: if nothing was converted there.
        OSError: if it cannot be read or written.
    """
    if not (output / LOGS).is_dir():
        raise _no_batch(output)
    plan = read_plans(output)
    with _observer(output, times or LeaseTimes()) as signs:
        runs = read_runs(output, signs)
        outcomes = _Outcomes(output, signs, runs)
        names = dict.fromkeys([*plan, *outcomes.known_names()])
        entries = (outcomes.entry(name, plan.get(name)) for name in names)
        items = [entry for entry in entries if entry is not None]
    if not items:
        raise _no_batch(output)
    counts = Counter(entry["state"] for entry in items)
    report = {
        "items": items,
        "runs": [run.to_dict() for run in runs],
        "total": len(items),
        **{state: counts[state] for state in STATES},
        "seconds": round(sum(entry["seconds"] for entry in items), 1),
        "exit_code": exit_code(counts, LEFT),
    }
    write_json(output / SUMMARY, report)
    return report


class _Outcomes:
    """What has come of the items of an output folder.

    Args:
        output: the output folder.
        signs: looks at the holders of leases.
        runs: the records of all runs.
    """

    def __init__(self, output: Path, signs: SignsOfLife, runs: list[RunRecord]) -> None:
        self._output = output
        self._signs = signs
        self._folders = _item_folders(output)
        self._conversions: Counter[str] = Counter()
        self._ends: dict[str, tuple[RunRecord, dict[str, Any]]] = {}
        for run in runs:
            self._conversions.update(run.done)
            for name, event in run.ends.items():
                if name not in self._ends or event["time"] >= self._ends[name][1]["time"]:
                    self._ends[name] = (run, event)

    def known_names(self) -> list[str]:
        """The names of items that a run has finished, and of folders that may be items."""
        return [*self._ends, *sorted(self._folders)]

    def entry(self, name: str, planned: PlannedItem | None) -> dict[str, Any] | None:
        """The entry of an item; None if it is no item at all."""
        status = read_status(self._output / name) if name in self._folders else None
        run, end = self._ends.get(name, (None, None))
        host = run.begin.get("host") if run is not None else None
        state, error = WAITING, None
        if status is not None and _is_current(status, planned):
            state, error = status.state, status.error
        elif status is None and end is not None and not end["stored"]:
            state, error = end["state"], end["error"]
        if state in (WAITING, INTERRUPTED) and name in self._folders:
            lease = self._open_lease(name, status.lease if status is not None else 0)
            state, host = lease or (state, host)
        if status is None:
            if planned is None and state == WAITING:
                return None
            status = Status(state, planned.source if planned is not None else "", "")
        shown = replace(status, state=state, error=error)
        entry = entry_of(Item(self._output / name, name), shown)
        return {**entry, "host": host, "conversions": self._conversions[name]}

    def _open_lease(self, name: str, ended: int) -> tuple[str, str | None] | None:
        """The state of an item by a lease that has not ended, and its machine; None without one."""
        folder = self._output / name
        newest = newest_lease(folder, ended)
        if newest == ended:
            return None
        holder = read_holder(folder, newest)
        gone = self._signs.is_gone(holder, lease_path(folder, newest))
        return INTERRUPTED if gone else HELD, holder.host if holder is not None else None


def _is_current(status: Status, planned: PlannedItem | None) -> bool:
    """Whether a status is of the settings that are planned; others belong to earlier batches."""
    return planned is None or status.fingerprint.split(" ")[0] == planned.settings


def _item_folders(output: Path) -> set[str]:
    """The names of the folders that may be items."""
    with os.scandir(output) as entries:
        return {each.name for each in entries if each.is_dir() and each.name[0] != "."}


@contextlib.contextmanager
def _observer(output: Path, times: LeaseTimes) -> Iterator[SignsOfLife]:
    """Looks at signs of life with a file of its own, since only the file system has the time."""
    name = f".report-{secrets.token_hex(4)}"
    heartbeat = output / LOGS / name
    try:
        yield SignsOfLife(output, heartbeat, this_process(name), times)
    finally:
        heartbeat.unlink(missing_ok=True)


def _no_batch(output: Path) -> BadRequest:
    return BadRequest(f"{output} has no items of a batch.", "Give the OUT of `convert -o OUT`.")


def report_lines(report: dict[str, Any]) -> Iterator[str]:
    """The report as text: a table of runs, a table of what is not done, and the sums."""
    yield f"{'shard':>9}  {'machine (process)':<30} {'items':>7} {'done':>7} {'failed':>7}  end"
    for run in report["runs"]:
        states = run["states"]
        failed = states.get(FAILED, 0) + states.get(POISONED, 0)
        where = f"{run['host']} ({run['process']})"
        counts = f"{run['items']:>7} {states.get(DONE, 0):>7} {failed:>7}"
        yield f"{run['shard']:>9}  {where:<30} {counts}  {_end_of(run)}"
    open_items = [item for item in report["items"] if item["state"] not in (DONE, WAITING)]
    if open_items:
        yield f"\n{'state':<11}  {'machine':<20}  item"
    for item in open_items:
        reason = f": {item['error']['message']}" if item["error"] else ""
        yield f"{item['state']:<11}  {item['host'] or '':<20}  {item['name']}{reason}"
    sums = ", ".join(f"{report[state]} {state}" for state in STATES if report[state])
    yield f"\n{sums}, of {report['total']} items; {MEANINGS[report['exit_code']]}"


def _end_of(run: dict[str, Any]) -> str:
    """How a run has ended, for people."""
    if run["exit_code"] is not None:
        return f"exit code {run['exit_code']}"
    return "running" if run["running"] else "died"
