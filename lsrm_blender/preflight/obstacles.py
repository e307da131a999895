# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a job needs, checked before it starts: what there is, what is missing, what mends that."""

from __future__ import annotations

import contextlib
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import bpy
from bpy.app.translations import pgettext_iface as translate

from ...backend.shared.checkpoint_folders import NONE
from ...backend.shared.errors import BadAsset, BadCapture, LsrmError
from .. import preferences
from ..capture_choices import FILE
from ..jobs import room
from ..jobs.checkpoints import checkpoint_params, has_license
from ..scene.assets.targets import selected_roots, without_results
from ..scene.cameras.existing_cameras import FEWEST, too_few_cameras
from .job_costs import expected_views, workload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


UNSAVED_BYTES = 50e6
"""Of the copy of a file that was never saved, at most in the usual case."""


@dataclass(frozen=True)
class Obstacle:
    """What keeps a job from starting.

    Attributes:
        error: that the job would end with.
        operator: whose button mends it, if there is one.
        label: of that button.
        setting: of the scene that mends it, if there is one.
    """

    error: LsrmError
    operator: str = ""
    label: str = ""
    setting: str = ""


@dataclass(frozen=True)
class Check:
    """Something that a job needs.

    Attributes:
        name: of it.
        found: what there is, for people; empty if there is an obstacle.
        obstacle: why it does not do, if so.
    """

    name: str
    found: str
    obstacle: Obstacle | None = None


def find_obstacle(scene: bpy.types.Scene, selected: Sequence[bpy.types.Object]) -> Obstacle | None:
    """The first thing that keeps a reconstruction of the chosen source from starting."""
    return _first(checks(scene, selected))


def checks(scene: bpy.types.Scene, selected: Sequence[bpy.types.Object]) -> Iterator[Check]:
    """All that a reconstruction of the chosen source needs, in the order in which it is needed."""
    by_objects = scene.lsrm.source == "OBJECTS"
    yield from _capture_checks(scene, selected) if by_objects else _views_checks(scene)
    yield from _reconstruct_checks(scene)


def check_capture(scene: bpy.types.Scene, selected: Sequence[bpy.types.Object]) -> None:
    """Check all that a capture needs.

    Raises:
        LsrmError: what is missing.
    """
    if obstacle := _first(_capture_checks(scene, selected)):
        raise obstacle.error


def check_reconstruct(scene: bpy.types.Scene, selected: Sequence[bpy.types.Object]) -> None:
    """Check all that a reconstruction of the chosen source needs.

    Raises:
        LsrmError: what is missing.
    """
    if obstacle := find_obstacle(scene, selected):
        raise obstacle.error


def _room_text(free: float, needed: float) -> str:
    """What there is of a disk or a memory, and what a job needs of it, in bytes."""
    if math.isinf(free):  # not every system and drive says it
        return translate("about {} needed").format(room.gigabytes(needed))
    text = translate("{} free, about {} needed")
    return text.format(room.gigabytes(free), room.gigabytes(needed))


def _first(found: Iterator[Check]) -> Obstacle | None:
    return next((each.obstacle for each in found if each.obstacle), None)


def _check(name: str, find: Callable[[], str], **mended_by: str) -> Check:
    """What a function finds; or the error that it raises, with the fields of the obstacle."""
    try:
        return Check(name, find())
    except LsrmError as error:
        return Check(name, "", Obstacle(error, **mended_by))


def _capture_checks(
    scene: bpy.types.Scene, selected: Sequence[bpy.types.Object]
) -> Iterator[Check]:
    """What a capture of the selected objects needs."""
    settings = scene.lsrm
    yield _check("Objects", lambda: _objects(without_results(selected, scene)))
    yield _check("Light", lambda: _light(settings), setting="capture_environment")
    yield _check("Cameras", lambda: _cameras(settings), setting="placement")
    yield from _room_checks(scene)


def _views_checks(scene: bpy.types.Scene) -> Iterator[Check]:
    """What it takes to read the chosen views."""
    settings, known = scene.lsrm, bpy.context.window_manager.lsrm_views
    if known.is_of(settings) and known.photographs:
        error = BadCapture(f"{known.photographs} photographs have no cameras.", "Find them first.")
        yield Check("Cameras", "", Obstacle(error, "lsrm.find_cameras", "Find Cameras"))
    yield _check("Views", lambda: _views(settings), setting="views_folder")
    yield from _room_checks(scene)


def _room_checks(scene: bpy.types.Scene) -> Iterator[Check]:
    """What it takes to store the outcome."""
    folder = preferences.work_folder(scene)
    needed = workload(scene.lsrm).disk + _file_size()
    yield (output := _check("Output", lambda: _output(folder), setting="output_folder"))
    if output.obstacle is None:
        yield _check("Disk", lambda: _disk(folder, needed), setting="output_folder")


def _reconstruct_checks(scene: bpy.types.Scene) -> Iterator[Check]:
    """What the backend needs for the settings: itself, its weights, memory."""
    settings, stored = scene.lsrm, preferences.current()
    # In the preferences the size of the download stands, and what else has to be allowed first.
    label = "Open Preferences" if stored.backend_python else "Install Backend…"
    mended_by = {"operator": "lsrm.open_preferences", "label": label}
    yield _check("Backend", lambda: str(preferences.backend_python()), **mended_by)
    yield _check("Checkpoint", lambda: _weights(settings), setting="checkpoint")
    mended_by = {"operator": "lsrm.use_less", "label": "Use Less Memory"}
    yield _check("Memory", lambda: _memory(workload(settings).memory), **mended_by)


def _objects(selected: Sequence[bpy.types.Object]) -> str:
    roots = selected_roots(selected)
    if not roots:
        raise BadAsset("No object is selected.", "Select the objects to reconstruct.")
    return roots[0].name if len(roots) == 1 else translate("{} objects").format(len(roots))


def _light(settings: bpy.types.PropertyGroup) -> str:
    image = bpy.path.abspath(settings.capture_environment)
    if settings.capture_light != FILE:
        lights = settings.bl_rna.properties["capture_light"].enum_items
        return translate(lights[settings.capture_light].name)
    if not os.access(image, os.R_OK):
        raise BadAsset("No image lights the capture.", "Choose an HDR image, or the studio.")
    return str(image)


def _cameras(settings: bpy.types.PropertyGroup) -> str:
    views = expected_views(settings)
    if views < FEWEST:
        raise too_few_cameras(views)
    return translate("{} views of {} pixels").format(views, settings.view_size)


def _views(settings: bpy.types.PropertyGroup) -> str:
    views = bpy.path.abspath(settings.views_folder)
    if not settings.views_folder:
        raise BadCapture("No views are chosen.", "Choose a folder of views.")
    if not os.access(views, os.R_OK):
        raise BadCapture(f"There is no {views}.", "Choose a folder of views.")
    return str(views)


def _weights(settings: bpy.types.PropertyGroup) -> str:
    folder = Path(bpy.path.abspath(settings.checkpoint_folder))
    accepted = preferences.current().license_accepted
    name = checkpoint_params(settings, folder, accepted=accepted)["checkpoint"]
    if has_license(name):
        return translate("{}, whose license is accepted").format(name)
    return translate("None") if name == NONE else name


def _output(folder: Path) -> str:
    room.check_folder(folder)
    return str(folder)


def _disk(folder: Path, needed: float) -> str:
    return _room_text(room.check_disk(room.check_folder(folder), needed), needed)


def _memory(needed: float) -> str:
    return _room_text(room.check_memory(needed), needed)


def _file_size() -> float:
    """Bytes of the copy of the open file that is captured."""
    with contextlib.suppress(OSError):
        if bpy.data.filepath:
            return float(Path(bpy.data.filepath).stat().st_size)
    return UNSAVED_BYTES
