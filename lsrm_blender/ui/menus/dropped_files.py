# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are dropped onto the 3D view."""

from __future__ import annotations

import bpy


class LSRM_FH_views(bpy.types.FileHandler):
    """A transforms.json becomes the source, and its cameras are shown."""

    bl_idname = "LSRM_FH_views"
    bl_label = "Posed Views (LSRM)"
    bl_import_operator = "lsrm.import_views"
    bl_file_extensions = ".json"

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        """Only onto a 3D view."""
        return context.area is not None and context.area.type == "VIEW_3D"


CLASSES = (LSRM_FH_views,)
