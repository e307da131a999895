# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the job of a scene's settings will take on this computer, learned from earlier jobs."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import bpy

from ...backend.shared.checkpoint_folders import meant_checkpoint
from .. import preferences
from ..capture_choices import ANIMATION, CAMERAS, COVERAGE
from ..jobs.estimate import CAPTURE, IMPORT, IMPORT_STAGES, QUADS, LearnedCosts, Workload
from ..jobs.quality import Quality
from ..scene.cameras.existing_cameras import own_cameras

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    return Workload(quality, meant_checkpoint(settings.checkpoint), settings.quads)


def expected_views(settings: bpy.types.PropertyGroup) -> int:
    """The number of views that a capture takes, as far as it is known beforehand."""
    scene = settings.id_data
    if settings.placement == CAMERAS:
        return len(own_cameras(scene))
    if settings.placement == ANIMATION:
        return min(settings.view_count, scene.frame_end - scene.frame_start + 1)
    extra = EXTRA_VIEWS if settings.placement == COVERAGE else 1.0
    return round(extra * settings.view_count)


def capture_stages(work: Workload) -> dict[str, float]:
    """The seconds to expect of the stages of a capture."""
    return _costs().seconds(CAPTURE, work.capture_stages)


def reconstruct_stages(work: Workload) -> dict[str, float]:
    """The seconds to expect of the stages of a reconstruction, in their order."""
    return _costs().seconds(work.reconstruct_kind, work.reconstruct_stages)


def import_stages() -> dict[str, float]:
    """The seconds to expect of the stages of an import."""
    return _costs().seconds(IMPORT, IMPORT_STAGES)


def quads_stages(work: Workload) -> dict[str, float]:
    """The seconds to expect of the stages of a mesh of quads; none if it is not wanted."""
    return _costs().seconds(QUADS, work.quads_stages)


def expected_seconds(work: Workload, *, capture: bool) -> float:
    """The seconds that a reconstruction and its quads take, and a capture before, if there is."""
    parts = [reconstruct_stages(work), import_stages(), quads_stages(work)]
    if capture:
        parts.append(capture_stages(work))
    return sum(sum(part.values()) for part in parts)


def learn_capture(work: Workload, spent: Mapping[str, float]) -> None:
    """Remember how many seconds the stages of a capture have taken."""
    _costs().learn(CAPTURE, work.capture_stages, spent)


def learn_reconstruction(work: Workload, spent: Mapping[str, float]) -> None:
    """Remember how many seconds the stages of a reconstruction have taken."""
    _costs().learn(work.reconstruct_kind, work.reconstruct_stages, spent)


def learn_import(spent: Mapping[str, float]) -> None:
    """Remember how many seconds an import has taken."""
    _costs().learn(IMPORT, IMPORT_STAGES, spent)


def learn_quads(work: Workload, spent: Mapping[str, float]) -> None:
    """Remember how many seconds the stages of the quads have taken."""
    _costs().learn(QUADS, work.quads_stages, spent)


def with_views(work: Workload, count: int) -> Workload:
    """The same job with the number of views that were taken."""
    return replace(work, quality=replace(work.quality, view_count=count))


def with_counts(work: Workload, counts: Mapping[str, int]) -> Workload:
    """The same job with the views that the backend has read, by the counts of its report."""
    views = counts.get("views", 0)
    if not views:
        return work
    size = round(math.sqrt(counts["view_pixels"] / views))
    return replace(work, quality=replace(work.quality, view_count=views, view_size=size))


def _costs() -> LearnedCosts:
    """What is known of the speed of this computer."""
    return LearnedCosts(preferences.user_folder("costs") / "seconds.json")
