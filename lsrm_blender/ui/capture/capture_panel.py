# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of the panel about captures: quality, placement of the cameras and their preview."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpy.app.translations import pgettext_iface as translate

from ...capture_choices import CAMERAS, FILE
from ...jobs.quality import QUALITIES
from ...scene.capture.planned_views import preview_of
from .capture_operators import PREVIEW_CAMERAS, QUALITY_LABELS, USE_QUALITY
from .readiness import about, quality_seconds

if TYPE_CHECKING:
    import bpy

    from ...jobs.quality import Quality


def draw_quality(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The qualities, each with the time that it takes; the one that the settings are is pressed."""
    settings, row = context.scene.lsrm, layout.row(align=True)
    for name, quality in QUALITIES.items():
        seconds, text = quality_seconds(context, name), translate(QUALITY_LABELS[name])
        if seconds >= 0.0:
            text = f"{text} {about(seconds)}"
        depress = _is_chosen(settings, quality)
        row.operator(USE_QUALITY, text=text, depress=depress, translate=False).quality = name


def draw_placement(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Where the views are taken from, and the button that shows it."""
    row = layout.row(align=True)
    row.prop(context.scene.lsrm, "placement")
    shown = preview_of(context.scene) is not None
    row.operator(PREVIEW_CAMERAS, text="", icon="HIDE_OFF" if shown else "HIDE_ON", depress=shown)


def draw_capture_settings(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The number and size of the views, and their light."""
    settings = context.scene.lsrm
    if settings.placement != CAMERAS:
        layout.prop(settings, "view_count")
    layout.prop(settings, "view_size")
    layout.prop(settings, "samples")
    layout.prop(settings, "capture_light")
    if settings.capture_light == FILE:
        layout.prop(settings, "capture_environment")


def _is_chosen(settings: bpy.types.PropertyGroup, quality: Quality) -> bool:
    """Whether the settings are those of a quality."""
    return all(getattr(settings, name) == value for name, value in quality.to_dict().items())
