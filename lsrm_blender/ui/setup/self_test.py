# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The self-test: what backend, graphics card and second Blender say when they are asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy
from bpy.app.translations import pgettext_iface as translate
from bpy.props import BoolProperty, CollectionProperty, PointerProperty, StringProperty

from ....backend.shared.errors import Cancelled, LsrmError
from ....backend.shared.machine.findings import Finding
from ... import preferences
from ...jobs.room import gigabytes
from ...jobs.task import Step, Task
from ...preflight.job_costs import workload
from ...windows import redraw
from ..tasks import memory_plan, reconstruct_params

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from ..properties import LSRM_PG_settings

    Answers = Generator[Step, Any, list[Finding]]

SELF_TEST = "lsrm.self_test"
BACKEND, BLENDER, MEMORY = "Backend", "Blender", "Memory for this job"


class LSRM_PG_finding(bpy.types.PropertyGroup):
    """A finding; its `name` is that of what was checked."""

    ok: BoolProperty()
    found: StringProperty()
    sentence: StringProperty()

    def show(self, finding: Finding) -> None:
        """Copy a finding."""
        self.name, self.ok, self.found = finding.name, finding.ok, finding.found
        self.sentence = sentence(finding)


class LSRM_PG_self_test(bpy.types.PropertyGroup):
    """What the last self-test has found; not saved in the file."""

    findings: CollectionProperty(type=LSRM_PG_finding)

    def show(self, findings: Sequence[Finding]) -> None:
        """Copy findings."""
        self.findings.clear()
        for finding in findings:
            self.findings.add().show(finding)


def self_test(scene: bpy.types.Scene) -> Task:
    """Ask the backend and the second Blender what they can do, and what the present job needs.

    Args:
        scene: with the settings of the job.
    """
    plan = _plan(scene.lsrm, preferences.current().device)

    def work() -> Generator[Step, Any, str]:
        examine = Step("backend", "examine", {}, "Starting the backend")
        findings = yield from _examined(examine, BACKEND)
        if findings[0].name != BACKEND:
            findings += yield from _planned(plan)
        findings += yield from _examined(Step("blender", "examine", {}, "Testing Blender"), BLENDER)
        bpy.context.window_manager.lsrm_self_test.show(findings)
        redraw()
        failed = [sentence(each) for each in findings if not each.ok]
        passed = len(findings) - len(failed)
        first = translate("{} of {} checks have passed").format(passed, len(findings))
        return "\n".join([first, *failed])

    return Task(translate("Self-Test"), work(), 2.0, SELF_TEST)


def sentence(finding: Finding) -> str:
    """A finding for people, with its remedy if there is something to mend."""
    text = f"{translate(finding.name)}: {finding.found}"
    return text if finding.ok else f"{text} {finding.remedy}".strip()


def _examined(step: Step, name: str) -> Answers:
    """What a child process finds; if it does not start, that is what is found, under a name."""
    try:
        answer = yield step
    except Cancelled:
        raise
    except LsrmError as error:
        return [_failed(name, error)]
    return [Finding(**each) for each in answer["findings"]]


def _plan(settings: LSRM_PG_settings, device: str) -> Step | Finding:
    """The step that plans the memory of the present job, or what keeps that from being planned."""
    try:
        return memory_plan(reconstruct_params(settings, device), workload(settings))
    except LsrmError as error:
        return _failed(MEMORY, error)


def _planned(plan: Step | Finding) -> Answers:
    """Whether the device has room for the job of the settings."""
    if isinstance(plan, Finding):
        return [plan]
    try:
        answer = yield plan
    except Cancelled:
        raise
    except LsrmError as error:
        return [_failed(MEMORY, error)]
    return [Finding(MEMORY, ok=True, found=_room_on_device(answer, plan.params))]


def _failed(name: str, error: LsrmError) -> Finding:
    return Finding(name, ok=False, found=error.message, remedy=error.remedy)


def _room_on_device(plan: dict[str, Any], params: dict[str, Any]) -> str:
    """What a device has, and what the job needs of it for its views, as far as it is known."""
    device = f"{plan['device']}, {plan['card']}" if plan["card"] else plan["device"]
    parts = []
    if plan["free"] is not None and plan["total"] is not None:
        text = translate("{} of {} free")
        parts.append(text.format(gigabytes(plan["free"]), gigabytes(plan["total"])))
    if plan["needed"] is not None:
        parts.append(translate("about {} needed").format(gigabytes(plan["needed"])))
        views = translate("{} views of {} pixels")
        parts.append(views.format(params["count"], params["size"]))
    return f"{device}: {', '.join(parts)}" if parts else device


CLASSES = (LSRM_PG_finding, LSRM_PG_self_test)


def attach() -> None:
    """Add the pointer to the window manager, after the classes are registered."""
    bpy.types.WindowManager.lsrm_self_test = PointerProperty(type=LSRM_PG_self_test)


def detach() -> None:
    """Remove the pointer."""
    del bpy.types.WindowManager.lsrm_self_test
