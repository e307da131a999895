# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators that the panel offers with an error: less memory, and dismissing the message."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from .. import session_timer

if TYPE_CHECKING:
    from ..properties import LSRM_PG_settings

SMALLEST_TEXTURE, SMALLEST_VIEW = 256, 32
SMALLER_THAN_AUTOMATIC = "1024"
"""Sides in texels and pixels below which nothing is halved."""


class LSRM_OT_use_less(bpy.types.Operator):
    """Halve the size of the textures, and of the views where they are still to be taken."""

    bl_idname = "lsrm.use_less"
    bl_label = "Use Less Memory"
    bl_description = (
        "Halve the size of the textures, and of the views where they are still to be taken"
    )
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only if a size can be halved."""
        if _halved(context.scene.lsrm):
            return True
        cls.poll_message_set("Textures and views are as small as they get")
        return False

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Halve the settings, for the next job."""
        settings = context.scene.lsrm
        for name, value in _halved(settings).items():
            setattr(settings, name, value)
        session_timer.SESSION.dismiss()
        session_timer.show()
        return {"FINISHED"}


def _halved(settings: LSRM_PG_settings) -> dict[str, str | int]:
    """The settings that can be halved, with their new values."""
    smaller: dict[str, str | int] = {}
    if settings.texture_size == "auto":
        smaller["texture_size"] = SMALLER_THAN_AUTOMATIC
    elif (texture_size := int(settings.texture_size)) > SMALLEST_TEXTURE:
        smaller["texture_size"] = str(texture_size // 2)
    if settings.source == "OBJECTS" and settings.view_size > SMALLEST_VIEW:
        smaller["view_size"] = max(settings.view_size // 2, SMALLEST_VIEW)
    return smaller


class LSRM_OT_dismiss(bpy.types.Operator):
    """Remove the message from the panel."""

    bl_idname = "lsrm.dismiss"
    bl_label = "Dismiss"
    bl_description = "Remove the message from the panel"
    bl_options = {"INTERNAL"}

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Clear the outcome of the last task; the log keeps it."""
        session_timer.SESSION.dismiss()
        session_timer.show()
        return {"FINISHED"}


CLASSES = (LSRM_OT_use_less, LSRM_OT_dismiss)
