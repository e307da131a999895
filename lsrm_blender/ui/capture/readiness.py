# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the job of the panel can start, how long it takes, or what mends it.

Drawing must be fast and must not look at files. So the panel draws what was found last, and asks
for a look at what has changed since; a timer looks once, and draws again if the answer differs.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import bpy
from bpy.app.translations import pgettext_iface as translate
from bpy.props import BoolProperty, FloatProperty, IntProperty, PointerProperty, StringProperty

from ...capture_choices import EACH
from ...jobs.quality import QUALITIES
from ...preflight import job_costs
from ...preflight.obstacles import find_obstacle
from ...scene.assets.targets import selected_roots, without_results
from ...windows import redraw

if TYPE_CHECKING:
    from collections.abc import Sequence


FRESH_SECONDS = 4.0
"""How long an answer is drawn before the disk and the backend are looked at again."""

NAMED_OBJECTS = 16
"""Of the selection, by whose names a change is noticed."""

WATCHED = (
    *(
        "source",
        "results",
        "views_folder",
        "output_folder",
        "view_count",
        "view_size",
        "samples",
        "placement",
    ),
    *("capture_light", "capture_environment", "checkpoint", "checkpoint_folder", "material"),
    *("refine", "texture_size", "faces", "quads"),
)
"""Settings on which the answer depends."""

UNKNOWN = -1.0

_wanted: dict[str, Any] = {}
"""The scene and the selection that the panel showed last, for the timer, which has no context."""


class LSRM_PG_readiness(bpy.types.PropertyGroup):
    """Whether the job of the settings can start; not saved in the file."""

    key: StringProperty()
    seen_at: FloatProperty(default=UNKNOWN)
    known: BoolProperty()
    ready: BoolProperty()
    code: StringProperty()
    message: StringProperty()
    remedy: StringProperty()
    operator: StringProperty()
    label: StringProperty()
    setting: StringProperty()
    views: IntProperty()
    seconds: FloatProperty()
    DRAFT: FloatProperty(default=UNKNOWN)
    NORMAL: FloatProperty(default=UNKNOWN)
    BEST: FloatProperty(default=UNKNOWN)

    def look(self, scene: bpy.types.Scene, selected: Sequence[bpy.types.Object]) -> None:
        """Find out, and store it."""
        settings = scene.lsrm
        obstacle = find_obstacle(scene, selected)
        work = job_costs.workload(settings)
        by_objects = settings.source == "OBJECTS"
        several = by_objects and settings.results == EACH
        roots = selected_roots(without_results(selected, scene)) if several else []
        jobs = max(1, len(roots))
        self.known, self.ready = True, obstacle is None
        self.views = work.quality.view_count
        self.seconds = jobs * job_costs.expected_seconds(work, capture=by_objects)
        error = obstacle.error if obstacle else None
        self.message, self.remedy = (error.message, error.remedy) if error else ("", "")
        self.code = error.code if error else ""
        for name in ("operator", "label", "setting"):
            setattr(self, name, getattr(obstacle, name) if obstacle else "")
        share = work.quality.view_count / settings.view_count
        for name, quality in QUALITIES.items():
            chosen = job_costs.with_views(
                replace(work, quality=quality), round(share * quality.view_count)
            )
            setattr(self, name, jobs * job_costs.expected_seconds(chosen, capture=by_objects))


def quality_seconds(context: bpy.types.Context, name: str) -> float:
    """The seconds that a quality is expected to take; negative while that is not known."""
    return float(getattr(readiness_of(context), name))


def about(seconds: float) -> str:
    """A duration for people, as precise as an estimate is."""
    if seconds < 90.0:
        return f"{max(5, 5 * round(seconds / 5.0))} s"
    return f"{round(seconds / 60.0)} min" if seconds < 5400.0 else f"{seconds / 3600.0:.1f} h"


def ready_text(context: bpy.types.Context) -> str:
    """That the job can start, and about how long it takes."""
    state = readiness_of(context)
    if context.scene.lsrm.source == "VIEWS":
        return translate("Ready: about {}").format(about(state.seconds))
    return translate("Ready: {} views, about {}").format(state.views, about(state.seconds))


def readiness_of(context: bpy.types.Context) -> LSRM_PG_readiness:
    """What was found last; asks for another look if something has changed since, or it is old."""
    state: LSRM_PG_readiness = context.window_manager.lsrm_readiness
    key = _key(context.scene.lsrm, context.selected_objects)
    if key != state.key or time.monotonic() - state.seen_at > FRESH_SECONDS:
        names = [each.name for each in context.selected_objects]
        _wanted.update(scene=context.scene.session_uid, names=names, key=key)
        if not bpy.app.timers.is_registered(_look):
            bpy.app.timers.register(_look, first_interval=0.0)
    return state


def _key(settings: bpy.types.PropertyGroup, selected: Sequence[bpy.types.Object]) -> str:
    """A text that differs if the answer may be another."""
    names = [each.name for each in selected[:NAMED_OBJECTS]]
    values = [getattr(settings, name) for name in WATCHED]
    return repr([settings.id_data.name, len(selected), names, values])


def _look() -> None:
    """Look at what the panel showed last; the callback of a timer that runs once."""
    uid = _wanted["scene"]
    scene = next((each for each in bpy.data.scenes if each.session_uid == uid), None)
    manager = bpy.context.window_manager
    if scene is None or manager is None or not hasattr(manager, "lsrm_readiness"):
        return
    state = manager.lsrm_readiness
    before = _drawn(state)
    objects = scene.objects
    state.look(scene, [objects[name] for name in _wanted["names"] if name in objects])
    state.key, state.seen_at = _wanted["key"], time.monotonic()
    if _drawn(state) != before:
        redraw()


def _drawn(state: LSRM_PG_readiness) -> list[Any]:
    """All that the panel draws."""
    names = (each.identifier for each in state.bl_rna.properties)
    return [getattr(state, each) for each in names if each not in ("rna_type", "key", "seen_at")]


CLASSES = (LSRM_PG_readiness,)


def attach() -> None:
    """Add the pointer to the window manager, after the class is registered."""
    bpy.types.WindowManager.lsrm_readiness = PointerProperty(type=LSRM_PG_readiness)


def detach() -> None:
    """End the timer, and remove the pointer."""
    if bpy.app.timers.is_registered(_look):
        bpy.app.timers.unregister(_look)
    del bpy.types.WindowManager.lsrm_readiness
