# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redraws what LSRM shows in Blender's windows."""

from __future__ import annotations

import bpy


def redraw() -> None:
    """Redraw the sidebars and the preferences, not the 3D views, which may be slow."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "PREFERENCES":
                area.tag_redraw()
            if area.type == "VIEW_3D":
                for region in area.regions:
                    if region.type == "UI":
                        region.tag_redraw()
