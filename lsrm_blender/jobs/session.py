# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is going on: the plan at work, the children it uses, what the panel shows of it.

A plan is a generator that yields steps for children and does its own part, which needs Blender,
between them. In a window a timer takes it from step to step; a script runs it to the end. No bpy
in here.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ...backend.shared.errors import LsrmError, as_lsrm_error

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from ...backend.shared.progress import Progress
    from .backend_client import Client
    from .job import Job

BUSY_INTERVAL, IDLE_INTERVAL = 0.1, 1.0
"""Seconds between two pumps by the timer."""


@dataclass(frozen=True)
class Step:
    """Work for a child.

    Attributes:
        child: which one: "blender", "backend" or "install".
        method: what it shall do.
        params: with what.
        title: for the artist.
        weight: its share of the plan's time.
    """

    child: str
    method: str
    params: dict[str, Any]
    title: str
    weight: float = 1.0


@dataclass(frozen=True)
class Plan:
    """Something the artist asked for.

    Attributes:
        title: for the artist.
        work: yields steps, is sent their results, returns a sentence about what came of it.
        weight: the sum of the weights of all its steps.
        operator: the button that begins it, and would begin it again.
    """

    title: str
    work: Generator[Step, Any, str]
    weight: float = 1.0
    operator: str = ""


@dataclass(frozen=True)
class Shown:
    """What the panel shows; nothing else is known to it.

    Attributes:
        running: whether a plan is at work.
        title: of the plan.
        step: what its child does.
        stage: of the step.
        message: the detail.
        overall: of the plan, 0..1.
        fraction: of the stage, 0..1.
        eta: seconds to the end of the step, or -1.
        stopping: whether a cancel is under way.
        note: what came of the last plan.
        error: why nothing came of it: code, message, remedy.
        log: the file to look at.
        operator: the button that has begun the plan.
    """

    running: bool = False
    title: str = ""
    step: str = ""
    stage: str = ""
    message: str = ""
    overall: float = 0.0
    fraction: float = 0.0
    eta: float = -1.0
    stopping: bool = False
    note: str = ""
    error: tuple[str, str, str] | None = None
    log: str = ""
    operator: str = ""


class Session:
    """One plan at a time, and the children that stay warm between plans.

    Args:
        make_client: makes the client of a child by its name.
    """

    def __init__(self, make_client: Callable[[str], Client]) -> None:
        self.shown = Shown()
        self._make_client = make_client
        self._clients: dict[str, Client] = {}
        self._plan: Plan | None = None
        self._step: Step | None = None
        self._job: Job | None = None
        self._done = 0.0

    def start(self, plan: Plan) -> None:
        """Begin a plan; `pump` does the rest.

        Raises:
            LsrmError: if another one is at work, or this one fails before its first step.
        """
        if self._plan is not None:
            plan.work.close()
            raise LsrmError(f"{self._plan.title} is still at work.", "Wait for it, or cancel it.")
        self._plan, self._done = plan, 0.0
        self.shown = Shown(running=True, title=plan.title, operator=plan.operator)
        self._advance(None)
        if self.shown.error is not None:
            raise _told(self.shown.error)

    def run(self, plan: Plan, progress: Progress) -> str:
        """Begin a plan and stay with it until its end, for scripts.

        Returns:
            What came of it.

        Raises:
            LsrmError: if it fails.
        """
        self.start(plan)
        told = 0.0
        while self.shown.running:
            if self.pump() and time.monotonic() - told > IDLE_INTERVAL:
                told = time.monotonic()
                progress.report(self.shown.step, self.shown.overall, self.shown.stage)
            time.sleep(0.02)
        if self.shown.error is not None:
            raise _told(self.shown.error)
        return self.shown.note

    def pump(self) -> bool:
        """Do what is to be done now.

        Returns:
            Whether there is something new to show.
        """
        before = self.shown
        for client in list(self._clients.values()):
            client.pump()
        if self._job is not None:
            self._look(self._job)
        return self.shown != before

    @property
    def interval(self) -> float | None:
        """Seconds to the next pump; None if there is nothing to watch over."""
        if self._plan is not None:
            return BUSY_INTERVAL
        warm = any(client.watching for client in self._clients.values())
        return IDLE_INTERVAL if warm else None

    def cancel(self, *, now: bool = False) -> None:
        """Stop the plan: ask its child, or end it `now`."""
        if self._job is not None and self._step is not None:
            self.shown = replace(self.shown, stopping=True)
            self._clients[self._step.child].cancel(self._job, now=now)

    def release(self, *, wait: bool = True) -> None:
        """End the children that have nothing to do; the next plan starts new ones."""
        for client in self._clients.values():
            if wait and not client.busy:
                client.close()
            client.dismiss()

    def refuse(self, title: str, operator: str, error: LsrmError) -> None:
        """Show why a plan could not be made."""
        if not self.shown.running:
            self.shown = _failed(Shown(title=title, operator=operator, log=self.shown.log), error)

    def dismiss(self) -> None:
        """Forget what came of the last plan."""
        if not self.shown.running:
            self.shown = Shown(log=self.shown.log)

    def close(self) -> None:
        """Stop everything."""
        if self._plan is not None:
            self._plan.work.close()
        self._plan = self._job = None
        for client in self._clients.values():
            client.close()
        self._clients.clear()
        self.shown = Shown()

    def _look(self, job: Job) -> None:
        """Show where a job is, and go on if it is finished."""
        if not job.finished:
            self._show_progress(job)
            return
        if self._step is not None:
            self._done += self._step.weight
        self._job = None
        self._advance(job)

    def _show_progress(self, job: Job) -> None:
        plan, step, where = self._plan, self._step, job.progress
        if plan is None or step is None:
            return
        self.shown = replace(
            self.shown,
            stage=where.stage,
            message=where.message,
            fraction=where.fraction,
            overall=min((self._done + step.weight * where.overall) / plan.weight, 1.0),
            eta=-1.0 if where.eta is None else where.eta,
            log=self._log_of(step),
        )

    def _log_of(self, step: Step) -> str:
        child = self._clients[step.child].child
        return str(child.command.log) if child is not None else self.shown.log

    def _advance(self, finished: Job | None) -> None:
        """Give a plan the outcome of its step, and take the next one from it."""
        plan = self._plan
        if plan is None:
            return
        try:
            if finished is not None and finished.error is not None:
                step = plan.work.throw(finished.error)
            else:
                step = plan.work.send(finished.result if finished is not None else None)
        except StopIteration as end:
            self._finish(
                Shown(note=end.value or "", log=self.shown.log, operator=self.shown.operator)
            )
        except LsrmError as error:
            self._finish(_failed(self.shown, error))
        except Exception as error:
            self._finish(_failed(self.shown, as_lsrm_error(error)))
            raise
        else:
            self._begin(step)

    def _begin(self, step: Step) -> None:
        self._step = step
        if step.child not in self._clients:
            self._clients[step.child] = self._make_client(step.child)
        self._job = self._clients[step.child].submit(step.method, step.params)
        self.shown = replace(self.shown, step=step.title, stage="", message="", eta=-1.0)

    def _finish(self, shown: Shown) -> None:
        self._plan = self._step = self._job = None
        self.shown = shown


def _failed(shown: Shown, error: LsrmError) -> Shown:
    """What is shown of a plan after its end."""
    told = (error.code, error.message, error.remedy)
    return Shown(title=shown.title, error=told, log=shown.log, operator=shown.operator)


def _told(error: tuple[str, str, str]) -> LsrmError:
    from ...backend.shared.protocol import error_from_dict

    code, message, remedy = error
    return error_from_dict({"code": code, "message": message, "remedy": remedy})
