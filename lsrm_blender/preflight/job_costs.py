# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the job of a scene's settings will take on this computer, learned from earlier jobs."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import bpy

from .. import preferences
from ..capture_choices import ANIMATION, CAMERAS, COVERAGE
from ..jobs.estimate import LearnedCosts, Workload
from ..jobs.quality import Quality
from ..scene.cameras.existing_cameras import own_cameras

EXTRA_VIEWS = 1.3
"""Times the views that were chosen, which coverage takes of a usual object."""


def workload(settings: bpy.types.PropertyGroup) -> Workload:
    """The job that the settings describe, with the views that are expected."""
    quality = Quality(
        expected_views(settings),
        settings.view_size,
        settings.samples,
        settings.refine,
        settings.texture_size,
        settings.faces,
    )
    checked = bpy.context.window_manager.lsrm_views
    if settings.source == "VIEWS" and checked.is_of(settings) and checked.views:
        size = round(math.sqrt(checked.width * checked.height))
        quality = replace(quality, view_count=checked.views, view_size=size)
    return Workload(quality, settings.checkpoint, settings.quads)


def expected_views(settings: bpy.types.PropertyGroup) -> int:
    """The number of views that a capture takes, as far as it is known beforehand."""
    scene = settings.id_data
    if settings.placement == CAMERAS:
        return len(own_cameras(scene))
    if settings.placement == ANIMATION:
        return min(settings.view_count, scene.frame_end - scene.frame_start + 1)
    extra = EXTRA_VIEWS if settings.placement == COVERAGE else 1.0
    return round(extra * settings.view_count)


def expected_seconds(work: Workload, *, capture: bool) -> float:
    """The seconds that a reconstruction and its quads take, and a capture before, if there is."""
    known = _costs()
    seconds = known.seconds(work.reconstruct_kind, work.reconstruct_seconds)
    seconds += known.seconds(work.quads_kind, work.quads_seconds)
    if capture:
        seconds += known.seconds(work.capture_kind, work.capture_seconds)
    return seconds


def learn_capture(work: Workload, started: float) -> None:
    """Remember how long a capture took that has just ended; `started` is of time.monotonic."""
    _costs().learn(work.capture_kind, work.capture_seconds, time.monotonic() - started)


def learn_reconstruction(work: Workload, started: float) -> None:
    """Remember how long a reconstruction took that has just ended, import included."""
    _costs().learn(work.reconstruct_kind, work.reconstruct_seconds, time.monotonic() - started)


def learn_quads(work: Workload, started: float) -> None:
    """Remember how long the quads took that have just been made."""
    _costs().learn(work.quads_kind, work.quads_seconds, time.monotonic() - started)


def with_views(work: Workload, count: int) -> Workload:
    """The same job with the number of views that were taken."""
    return replace(work, quality=replace(work.quality, view_count=count))


def _costs() -> LearnedCosts:
    """What is known of the speed of this computer."""
    return LearnedCosts(preferences.user_folder("costs") / "seconds.json")
