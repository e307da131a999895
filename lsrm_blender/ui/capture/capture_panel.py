# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of the panel about captures: quality, placement of the cameras and their preview."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...capture_choices import CAMERAS, FILE
from ...jobs.quality import QUALITIES
from ...scene.capture.planned_views import preview_of
from .capture_operators import PREVIEW_CAMERAS, QUALITY_LABELS, USE_QUALITY
from .readiness import about, quality_seconds

if TYPE_CHECKING:
    import bpy

    from ...jobs.quality import Quality


def draw_quality(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The qualities, with the time that each takes below it; that of the settings is pressed."""
    settings, column = context.scene.lsrm, layout.column(align=True)
    buttons = column.row(align=True)
    # Not a row: there widths follow the texts, which then do not stand below their buttons.
    times = column.grid_flow(row_major=True, columns=len(QUALITIES), even_columns=True, align=True)
    for name, quality in QUALITIES.items():
        chosen = _is_chosen(settings, quality)
        buttons.operator(USE_QUALITY, text=QUALITY_LABELS[name], depress=chosen).quality = name
        seconds = quality_seconds(context, name)
        each = times.row()
        each.alignment = "CENTER"
        each.label(text=about(seconds) if seconds >= 0.0 else "", translate=False)


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
