# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a job needs, checked before it starts: what is missing, and what mends that."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from ...backend.shared.errors import (
    BadAsset,
    BadCapture,
    EnvironmentBroken,
    LsrmError,
    OutOfMemory,
)
from .. import preferences
from ..capture_choices import FILE
from ..jobs import room
from ..jobs.checkpoints import checkpoint_params
from ..scene.assets.targets import selected_roots
from ..scene.cameras.existing_cameras import FEWEST, too_few_cameras
from .job_costs import expected_views, workload

if TYPE_CHECKING:
    from collections.abc import Sequence


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


def find_obstacle(scene: bpy.types.Scene, selected: Sequence[bpy.types.Object]) -> Obstacle | None:
    """The first thing that keeps a reconstruction of the chosen source from starting."""
    if scene.lsrm.source == "OBJECTS":
        return _capture_obstacle(scene, selected) or _reconstruct_obstacle(scene)
    return _views_obstacle(scene.lsrm) or _reconstruct_obstacle(scene)


def check_capture(scene: bpy.types.Scene, selected: Sequence[bpy.types.Object]) -> None:
    """Check all that a capture needs.

    Raises:
        LsrmError: what is missing.
    """
    if obstacle := _capture_obstacle(scene, selected):
        raise obstacle.error


def check_reconstruct(scene: bpy.types.Scene, selected: Sequence[bpy.types.Object]) -> None:
    """Check all that a reconstruction of the chosen source needs.

    Raises:
        LsrmError: what is missing.
    """
    if obstacle := find_obstacle(scene, selected):
        raise obstacle.error


def _capture_obstacle(
    scene: bpy.types.Scene, selected: Sequence[bpy.types.Object]
) -> Obstacle | None:
    """What keeps the selected objects from being captured."""
    settings = scene.lsrm
    if not selected_roots(selected):
        return Obstacle(BadAsset("No object is selected.", "Select the objects to reconstruct."))
    light = bpy.path.abspath(settings.capture_environment)
    if settings.capture_light == FILE and not os.access(light, os.R_OK):
        dark = BadAsset("No image lights the capture.", "Choose an HDR image, or the studio.")
        return Obstacle(dark, setting="capture_environment")
    views = expected_views(settings)
    if views < FEWEST:
        return Obstacle(too_few_cameras(views), setting="placement")
    return _room_obstacle(scene)


def _views_obstacle(settings: bpy.types.PropertyGroup) -> Obstacle | None:
    """What keeps the chosen views from being read."""
    known = bpy.context.window_manager.lsrm_views
    if known.is_of(settings) and known.photographs:
        error = BadCapture(f"{known.photographs} photographs have no cameras.", "Find them first.")
        return Obstacle(error, "lsrm.find_cameras", "Find Cameras")
    views = bpy.path.abspath(settings.views_folder)
    if settings.views_folder and os.access(views, os.R_OK):
        return _room_obstacle(settings.id_data)
    missing = f"There is no {views}." if settings.views_folder else "No views are chosen."
    return Obstacle(BadCapture(missing, "Choose a folder of views."), setting="views_folder")


def _room_obstacle(scene: bpy.types.Scene) -> Obstacle | None:
    """What keeps the outcome from being stored."""
    needed = workload(scene.lsrm).disk + _file_size()
    try:
        room.check_disk(room.check_folder(preferences.work_folder(scene)), needed)
    except LsrmError as error:
        return Obstacle(error, setting="output_folder")
    return None


def _reconstruct_obstacle(scene: bpy.types.Scene) -> Obstacle | None:
    """What the backend lacks for the settings: itself, its weights, memory."""
    settings, stored = scene.lsrm, preferences.current()
    folder = Path(bpy.path.abspath(settings.checkpoint_folder))
    try:
        preferences.backend_python()
        checkpoint_params(settings, folder, accepted=stored.license_accepted)
        room.check_memory(workload(settings).memory)
    except EnvironmentBroken as error:
        # There the size of the download stands, and what else has to be allowed first.
        label = "Open Preferences" if stored.backend_python else "Install Backend…"
        return Obstacle(error, "lsrm.open_preferences", label)
    except OutOfMemory as error:
        return Obstacle(error, "lsrm.use_less", "Use Less Memory")
    except LsrmError as error:
        return Obstacle(error, setting="checkpoint")
    return None


def _file_size() -> float:
    """Bytes of the copy of the open file that is captured."""
    with contextlib.suppress(OSError):
        if bpy.data.filepath:
            return float(Path(bpy.data.filepath).stat().st_size)
    return UNSAVED_BYTES
