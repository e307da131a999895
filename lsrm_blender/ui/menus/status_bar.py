# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress and outcome in the status bar: it shows in every workspace, whatever panel is open."""

from __future__ import annotations

import bpy
from bpy.app.translations import pgettext_iface as translate

PROGRESS_WIDTH = 14.0
LONGEST_NOTE = 90
"""Letters of an outcome or a warning that have room beside Blender's own hints."""


def _draw(header: bpy.types.Header, context: bpy.types.Context) -> None:
    """The progress of the job, or its outcome until that is dismissed."""
    state = getattr(context.window_manager, "lsrm", None)
    queue = getattr(context.window_manager, "lsrm_queue", None)
    if state is None or queue is None:  # while the extension is registered or removed
        return
    row = header.layout.row(align=True)
    if state.running:
        if state.warnings:  # to the left, where it moves no button
            row.label(text=_short(state.warnings), icon="ERROR", translate=False)
        bar = row.row()
        bar.ui_units_x = PROGRESS_WIDTH
        text = _progress_text(state, queue.waiting)
        bar.progress(text=text, factor=state.overall, translate=False)
        stop = row.row()
        stop.enabled = not state.stopping
        stop.operator("lsrm.cancel", text="", icon="X").now = False
    elif state.error_code:
        row.label(text=_short(f"{state.title}: {state.error_message}"), icon="ERROR")
        row.operator("lsrm.dismiss", text="", icon="X", emboss=False)
    elif state.note:
        row.label(text=_short(state.note), icon="CHECKMARK", translate=False)
        row.operator("lsrm.dismiss", text="", icon="X", emboss=False)


def _progress_text(state: bpy.types.PropertyGroup, waiting: int) -> str:
    """Title and percentage, and how many jobs wait."""
    if state.stopping:
        return translate("Stopping…")
    text = f"{state.title} {100.0 * state.overall:.0f} %"
    return translate("{}, {} waiting").format(text, waiting) if waiting else text


def _short(text: str) -> str:
    """The first line, as far as there is room."""
    first = text.partition("\n")[0]
    return first if len(first) <= LONGEST_NOTE else f"{first[: LONGEST_NOTE - 1]}…"


CLASSES = ()


def attach() -> None:
    """Add it to the status bar."""
    bpy.types.STATUSBAR_HT_header.append(_draw)


def detach() -> None:
    """Remove it."""
    bpy.types.STATUSBAR_HT_header.remove(_draw)
