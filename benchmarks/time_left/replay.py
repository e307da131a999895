# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replays recorded jobs, and compares the time left that the panel would show with the true one.

Run `python benchmarks/time_left/replay.py` in a clone for a table.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import math
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

ROOT = Path(__file__).resolve().parents[2]
INTERVAL = 0.1
"""Seconds between two looks at the progress, as in the panel."""

FIRST_TENTH = 0.1
"""Of a job, in which nothing is judged."""

WANTED = 1.5
"""The factor that the time left shall be within."""

MEASURED = 10
"""Of the recorded jobs, the last; those before them teach the costs of the computer."""

ROUNDING = 1.0
"""Seconds added to both times before they are compared: the panel shows whole seconds."""


@dataclass(frozen=True)
class Accuracy:
    """How right the time left was after the first tenth of a job.

    Attributes:
        first: seconds that were shown at its start.
        true: seconds that it took.
        worst: the largest factor between shown and true time left.
        within: the share of the time in which the factor was at most WANTED.
    """

    first: float
    true: float
    worst: float
    within: float


def replay(jobs: list[dict[str, Any]], module: Callable[[str], Any], costs: Path) -> list[Accuracy]:
    """Replay jobs in their order; each is learned from.

    Args:
        jobs: as `record.py` stores them.
        module: imports a module of the extension by its name.
        costs: the file for what is learned.
    """
    learned = module("lsrm_blender.jobs.estimate").LearnedCosts(costs)
    return [_replay_one(job, module, learned) for job in jobs]


def _replay_one(job: dict[str, Any], module: Callable[[str], Any], learned: Any) -> Accuracy:
    estimate = module("lsrm_blender.jobs.estimate")
    quality = module("lsrm_blender.jobs.quality").Quality(
        job["views"], job["size"], job["samples"], job["refine"], "256", job["faces"]
    )
    work = estimate.Workload(quality)
    formulas = {
        "Capturing views": (estimate.CAPTURE, work.capture_stages),
        "Reconstructing": (work.reconstruct_kind, work.reconstruct_stages),
        "Importing": (estimate.IMPORT, estimate.IMPORT_STAGES),
    }
    tasks = module("lsrm_blender.jobs.task")
    now = [0.0]
    child = _Child(module("lsrm_blender.jobs.job"))
    session = module("lsrm_blender.jobs.session").Session(lambda _: child, lambda: now[0])
    steps = [
        tasks.Step("backend", "", {}, title, expected=learned.seconds(*formula))
        for title, formula in formulas.items()
    ]
    starting = tasks.Step("backend", "", {}, "Starting the backend", 0.0)
    task = tasks.Task("", _yielded([starting, *steps]), sum(each.share for each in steps))
    session.start(task)
    shown, end = [], job["events"][-1][0]
    for at, title, stage, fraction in _looks(job["events"]):
        now[0] = at
        if title != session.state.step:
            child.end()
            session.pump()
        child.report(stage, fraction)
        session.pump()
        shown.append((at, session.state.eta))
    now[0] = end
    child.end()
    session.pump()
    for step, formula in zip(steps, formulas.values(), strict=True):
        learned.learn(*formula, step.spent)
    factors = [
        _factor(eta + ROUNDING, end - at + ROUNDING)
        for at, eta in shown
        if at > FIRST_TENTH * end and eta >= 0.0
    ]
    first = next(eta for _, eta in shown if eta >= 0.0)
    within = sum(each <= WANTED for each in factors) / len(factors)
    return Accuracy(first, end, max(factors), within)


def _looks(events: list[list[Any]]) -> Iterator[tuple[float, str, str, float]]:
    """Time, step, stage and fraction at every look, until the last event, which is the end."""
    following = [*events[1:], events[-1]]
    for (at, title, stage, fraction), (until, *_) in zip(events, following, strict=True):
        for look in range(math.ceil((until - at) / INTERVAL)):
            yield at + INTERVAL * look, title, stage, fraction if stage else 0.0


def _factor(one: float, other: float) -> float:
    return max(one / other, other / one)


def _yielded(steps: list[Any]) -> Generator[Any, Any, str]:
    yield from steps
    return "done"


class _Child:
    """Stands for a child process, whose job goes on as it was recorded."""

    child, has_child, busy = None, False, False

    def __init__(self, job_module: Any) -> None:
        self._module = job_module
        self._job: Any = None

    def refresh(self) -> None:
        """There is no other command."""

    def pump(self) -> None:
        """Nothing is to be pumped."""

    def submit(self, method: str, params: dict[str, Any]) -> Any:
        """Start the next job."""
        self._job = self._module.Job(0, method, params)
        return self._job

    def report(self, stage: str, fraction: float) -> None:
        """Let the job be at a fraction of a stage."""
        self._job.progress = self._module.JobProgress(stage, fraction)

    def end(self) -> None:
        """Let the job be done."""
        self._job.finished = True


def main() -> None:
    """Print a table of the recorded jobs."""
    spec = importlib.util.spec_from_file_location(
        "lsrm", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    if spec is None or spec.loader is None:
        raise SystemExit(f"{ROOT} is no clone of LSRM.")
    sys.modules["lsrm"] = importlib.util.module_from_spec(spec)
    jobs = json.loads((ROOT / "benchmarks" / "time_left" / "recording.json").read_text("utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        accuracies = replay(
            jobs, lambda name: importlib.import_module(f"lsrm.{name}"), Path(folder) / "costs.json"
        )
    print(f"took   shown at start   worst factor   within {WANTED}")
    for each in accuracies[-MEASURED:]:
        print(f"{each.true:4.0f} s {each.first:14.0f} s {each.worst:14.2f} {each.within:12.0%}")


if __name__ == "__main__":
    main()
