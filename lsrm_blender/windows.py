# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redraws what LSRM shows in Blender's windows."""

from __future__ import annotations

import bpy


def redraw() -> None:
    """Redraw sidebars, preferences and status bars, not the 3D views, which may be slow."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "PREFERENCES":
                area.tag_redraw()
            if area.type == "VIEW_3D":
                for region in area.regions:
                    if region.type == "UI":
                        region.tag_redraw()
        if not bpy.app.background:
            _redraw_status_bar(window)


def _redraw_status_bar(window: bpy.types.Window) -> None:
    """Redraw the status bar of a window.

    It belongs to no area of the screen; resetting its text redraws it. The text of an operator
    that the user is busy with stays.
    """
    if not getattr(window, "modal_operators", ()):  # Blender 4.2 does not have them
        with bpy.context.temp_override(window=window):
            window.workspace.status_text_set(None)
