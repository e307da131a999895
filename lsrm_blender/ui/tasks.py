# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tasks that the buttons start: steps for child processes, and work in Blender between them.

A task holds all it needs from the moment it is made, a copy of the open file included: it may wait
in the queue while other files are opened.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy
from bpy.app.translations import pgettext_iface as translate

from ...backend.shared.capture.json_files import read_capture_json
from ...backend.shared.errors import BadCapture, BadRequest, Cancelled, EnvironmentBroken, LsrmError
from ...backend.shared.lods.face_targets import REMEDY, face_params, parse_face_targets
from ...backend.shared.names.asset_names import name_of_views
from .. import preferences
from ..capture_choices import FILE
from ..jobs.checkpoints import checkpoint_params
from ..jobs.job_folders import folder_name, new_job_folder, work_files
from ..jobs.task import Outcome, Step, Task
from ..preflight import job_costs
from ..scene.blend_files import save_copy
from .import_steps import SceneReference, add_quads, import_prepared
from .undo import push_undo

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from ..jobs.estimate import Workload
    from ..jobs.job_folders import JobFolder
    from ..scene.assets.targets import Target
    from .properties import LSRM_PG_settings

    Steps = Generator[Step, Any, Outcome]

RECONSTRUCT = "lsrm.reconstruct"
COPY = "scene.blend"
"""A copy of the open file, for the second Blender."""

PREVIEWS = "previews"
"""The folder for previews of the result, below that of temporary files."""


def capture(scene: bpy.types.Scene, targets: Sequence[Target], root: Path) -> Task:
    """Capture targets, then use the last views as the source.

    Args:
        scene: of the objects.
        targets: each is captured by itself.
        root: the folder of all captures and results.
    """
    reference = SceneReference.to(scene)
    params = {target: _capture_params(scene.lsrm, target) for target in targets}
    expected = job_costs.workload(scene.lsrm)
    records = {target: _record_of(target, params[target]) for target in targets}

    def one(target: Target, copy: Path) -> Steps:
        with new_job_folder(root / folder_name(target.name), records[target]) as job:
            captured = yield from _capture_copy(copy, job, params[target], expected)
        if found := reference.find():
            found.lsrm.views_folder = str(job.views)
            found.lsrm.source = "VIEWS"
            push_undo("use views")
        note = translate("{} views of {} are in Past Results").format(
            captured["views"], target.name
        )
        return Outcome(with_warnings(note, captured))

    title = translate("Capture {}").format(_title(targets))
    weight = len(targets) * sum(job_costs.capture_stages(expected).values())
    held, copy = _held_copy(root)
    return Task(title, _for_each(targets, held, copy, one), weight, "lsrm.capture", held)


def reconstruct_objects(
    scene: bpy.types.Scene, targets: Sequence[Target], root: Path, device: str
) -> Task:
    """Capture targets, reconstruct them, and import the results in their place.

    Args:
        scene: of the objects.
        targets: each has a result of its own.
        root: the folder of all captures and results.
        device: what the backend computes on.
    """
    reference = SceneReference.to(scene)
    params = {target: _capture_params(scene.lsrm, target) for target in targets}
    expected = job_costs.workload(scene.lsrm)
    request = reconstruct_params(scene.lsrm, device)
    records = {target: _record_of(target, params[target]) for target in targets}

    def one(target: Target, copy: Path) -> Steps:
        with new_job_folder(root / folder_name(target.name), records[target]) as job:
            # A backend that does not start, or a card that is too small, is noticed before the
            # first view is rendered.
            yield memory_plan(request, expected)
            captured = yield from _capture_copy(copy, job, params[target], expected)
            folders = {"views": str(job.views), "output": str(job.result)}
            taken = job_costs.with_views(expected, captured["views"])
            step = _reconstruction({**request, **folders}, copy.parent, reference, taken)
            step = replace(step, warnings=tuple(captured.get("warnings") or ()))
            outcome = yield from _reconstruct(step, copy.parent, reference, taken)
            return (yield from _with_quads(outcome, job.result, copy.parent, taken))

    title = translate("Reconstruct {}").format(_title(targets))
    weight = len(targets) * job_costs.expected_seconds(expected, capture=True)
    held, copy = _held_copy(root)
    steps = _for_each(targets, held, copy, one)
    return Task(title, steps, weight, RECONSTRUCT, held)


def reconstruct_views(scene: bpy.types.Scene, views: Path, root: Path, device: str) -> Task:
    """Reconstruct from existing views.

    Args:
        scene: for the result.
        views: capture folder or transforms.json.
        root: the folder of all captures and results.
        device: what the backend computes on.
    """
    reference, settings = SceneReference.to(scene), scene.lsrm
    jobs, expected = jobs_of_views(root, views), job_costs.workload(settings)
    request = {
        **reconstruct_params(settings, device),
        "views": str(views),
        "fix_cameras": settings.fix_cameras,
        **settings.mask_options(),
        "up": settings.up,
    }
    record = {"name": jobs.name, "file": bpy.data.filepath}

    def work() -> Steps:
        with work_files(root) as temporary, new_job_folder(jobs, record) as job:
            output = {"output": str(job.result)}
            step = _reconstruction({**request, **output}, temporary, reference, expected)
            outcome = yield from _reconstruct(step, temporary, reference, expected)
            return (yield from _with_quads(outcome, job.result, temporary, expected))

    weight = job_costs.expected_seconds(expected, capture=False)
    return Task(translate("Reconstruct {}").format(views.name), work(), weight, RECONSTRUCT)


def memory_plan(request: dict[str, Any], expected: Workload) -> Step:
    """The step in which the backend plans the memory of a job whose views are still to be taken.

    Args:
        request: the parameters of the job beside its folders.
        expected: the job.
    """
    views = {"count": expected.quality.view_count, "size": expected.quality.view_size}
    return Step("backend", "plan", {**request, **views}, "Starting the backend", 0.0)


def views_folder(settings: LSRM_PG_settings) -> Path:
    """The views of the settings.

    Raises:
        BadCapture: if none are chosen.
    """
    if not settings.views_folder:
        raise BadCapture("No views are chosen.", "Choose a capture folder or a transforms.json.")
    return Path(bpy.path.abspath(settings.views_folder))


def jobs_of_views(root: Path, views: Path) -> Path:
    """The folder for the jobs that use some views.

    Raises:
        BadCapture: if the capture.json of the views is broken.
    """
    folder = views if views.is_dir() else views.parent
    return root / folder_name(name_of_views(views, read_capture_json(folder)))


def _held_copy(root: Path) -> tuple[ExitStack, Path]:
    """A copy of the open file below the folder of all results, and what removes it again.

    Raises:
        OutputNotWritable, DiskFull: if it cannot be made.
    """
    with ExitStack() as stack:
        copy = stack.enter_context(work_files(root)) / COPY
        save_copy(copy)
        return stack.pop_all(), copy


def _for_each(
    targets: Sequence[Target], held: ExitStack, copy: Path, one: Callable[[Target, Path], Steps]
) -> Steps:
    """Run the steps of one target after the other; one that fails does not stop the rest.

    Args:
        targets: what the task is about.
        held: removes the copy.
        copy: of the file with the targets.
        one: the steps for a target, from the copy.
    """
    outcomes: list[Outcome] = []
    failures: list[LsrmError] = []
    with held:
        for target in targets:
            try:
                outcomes.append((yield from one(target, copy)))
            except (Cancelled, EnvironmentBroken):
                raise
            except LsrmError as error:
                if len(targets) == 1:
                    raise
                failures.append(type(error)(f"{target.name}: {error.message}", error.remedy))
    if not outcomes:
        raise failures[0]
    return outcomes[0] if len(targets) == 1 else _together(outcomes, failures)


def _together(outcomes: Sequence[Outcome], failures: Sequence[LsrmError]) -> Outcome:
    """The outcome of a task about several targets."""
    total = len(outcomes) + len(failures)
    lines = [f"{len(outcomes)} of {total} objects are done"]
    lines += [f"{error.message} {error.remedy}" for error in failures]
    lines += [line for outcome in outcomes for line in outcome.note.splitlines()]
    left = [outcome.result for outcome in outcomes if outcome.result]
    return Outcome("\n".join(lines), left[-1] if left else "")


def _title(targets: Sequence[Target]) -> str:
    return targets[0].name if len(targets) == 1 else translate("{} objects").format(len(targets))


def _record_of(target: Target, params: dict[str, Any]) -> dict[str, Any]:
    """The record of a job that captures a target."""
    settings = {"view_count": params["views"], "size": params["size"]}
    return {"name": target.name, "file": bpy.data.filepath, "settings": settings}


def _capture_copy(
    copy: Path, job: JobFolder, params: dict[str, Any], expected: Workload
) -> Generator[Step, Any, dict[str, Any]]:
    """Have the second Blender capture a copy of the open file; how long that takes is learned."""
    params = {**params, "asset": str(copy), "output": str(job.views)}
    stages = job_costs.capture_stages(expected)
    step = Step("blender", "capture", params, "Capturing views", expected=stages)
    info: dict[str, Any] = yield step
    job_costs.learn_capture(job_costs.with_views(expected, info["views"]), step.spent)
    return info


def _reconstruction(
    request: dict[str, Any], temporary: Path, reference: SceneReference, expected: Workload
) -> Step:
    """The step in which the backend reconstructs views."""
    if not bpy.app.background:
        request = {**request, "previews": str(temporary / PREVIEWS)}
    stages, title = job_costs.reconstruct_stages(expected), "Reconstructing"
    return Step("backend", "reconstruct", request, title, expected=stages, preview_in=reference)


def _reconstruct(
    step: Step, temporary: Path, reference: SceneReference, expected: Workload
) -> Steps:
    """Have the backend reconstruct views, and import the result into the scene of the task.

    How long it takes is learned, for the views that the backend has found.
    """
    answer = yield step
    taken = job_costs.with_counts(expected, answer["report"].get("counts", {}))
    job_costs.learn_reconstruction(taken, step.spent)
    outcome = yield from import_prepared(Path(step.params["output"]), temporary, reference)
    return Outcome(with_warnings(outcome.note, answer["report"]), outcome.result)


def _with_quads(outcome: Outcome, result: Path, temporary: Path, expected: Workload) -> Steps:
    """Make quads of a result if they are wanted; what came of them is added to its outcome."""
    if not expected.quads:
        return outcome
    note = yield from add_quads(result, temporary, expected)
    return replace(outcome, note=f"{outcome.note}\n{note}")


def _capture_params(settings: LSRM_PG_settings, target: Target) -> dict[str, Any]:
    """The parameters of `capture`."""
    return {
        "objects": list(target.names),
        "source": target.source(),
        "poses": target.poses(),
        "views": settings.view_count,
        "placement": settings.placement,
        "size": settings.view_size,
        "samples": settings.samples,
        "environment": _capture_light(settings),
    }


def _capture_light(settings: LSRM_PG_settings) -> str:
    """The light of a capture, as the command `capture` takes it."""
    if settings.capture_light != FILE:
        return str(settings.capture_light)
    return str(bpy.path.abspath(settings.capture_environment))


def reconstruct_params(settings: LSRM_PG_settings, device: str) -> dict[str, Any]:
    """The parameters of `reconstruct` beside its folders.

    Raises:
        LsrmError: if the chosen weights are missing, or their license is not accepted, or the
            levels of detail are no falling numbers.
    """
    folder = Path(bpy.path.abspath(settings.checkpoint_folder))
    accepted = preferences.current().license_accepted
    return {
        **checkpoint_params(settings, folder, accepted=accepted),
        "refine": settings.refine,
        "texture_size": settings.texture_size,
        **face_params(_face_targets(settings)),
        "device": device,
    }


def _face_targets(settings: LSRM_PG_settings) -> tuple[int, ...]:
    """Triangles of the mesh and of its coarser levels of detail.

    Raises:
        BadRequest: if these are no falling numbers.
    """
    lods = settings.lods.strip()
    try:
        return parse_face_targets(f"{settings.faces},{lods}" if lods else str(settings.faces))
    except ValueError as error:
        raise BadRequest(str(error), REMEDY) from error


def with_warnings(sentence: str, answer: dict[str, Any]) -> str:
    """A sentence, and the warnings of an answer below it."""
    return "\n".join([sentence, *(answer.get("warnings") or [])])
