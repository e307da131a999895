# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators that the panel offers with errors and warnings: less memory, reading, dismissing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from ....backend.shared.checkpoint_folders import NONE, meant_checkpoint
from ...capture_choices import CAMERAS
from .. import session_timer
from ..wrapped_text import draw_wrapped

if TYPE_CHECKING:
    from ..properties import LSRM_PG_settings

SMALLEST_TEXTURE, SMALLEST_VIEW, FEWEST_VIEWS = 256, 32, 8
SMALLER_THAN_AUTOMATIC = "1024"
"""Sides in texels and pixels, and the number of views, below which nothing is halved."""

WIDTH = 70
"""Of the warnings beside the mouse, in letters."""


class LSRM_OT_use_less(bpy.types.Operator):
    """Halve the textures, and where the views are still to be taken, their size or their number."""

    bl_idname = "lsrm.use_less"
    bl_label = "Use Less Memory"
    bl_description = (
        "Halve the textures, and where the views are still to be taken, their size; "
        "with a network their number"
    )
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only if something can be halved."""
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
    if settings.source != "OBJECTS":
        return smaller
    if meant_checkpoint(settings.checkpoint) != NONE:  # a network has a size of its own for views
        chosen = settings.placement != CAMERAS  # of which there are as many as there are
        if chosen and settings.view_count > FEWEST_VIEWS:
            smaller["view_count"] = max(settings.view_count // 2, FEWEST_VIEWS)
    elif settings.view_size > SMALLEST_VIEW:
        smaller["view_size"] = max(settings.view_size // 2, SMALLEST_VIEW)
    return smaller


class LSRM_OT_show_warnings(bpy.types.Operator):
    """Show all that the views of the running job are warned of."""

    bl_idname = "lsrm.show_warnings"
    bl_label = "Warnings"
    bl_description = "Show all that the views of the running job are warned of"
    bl_options = {"INTERNAL"}

    @classmethod
    def description(cls, context: bpy.types.Context, _properties: LSRM_OT_show_warnings) -> str:
        """The warnings themselves: the panel has room for the beginning of one."""
        return str(context.window_manager.lsrm.warnings)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Show them beside the mouse; a script gets a report."""
        warnings = context.window_manager.lsrm.warnings
        if bpy.app.background:
            self.report({"INFO"}, warnings)
            return {"FINISHED"}

        def draw(menu: bpy.types.Menu, _context: bpy.types.Context) -> None:
            for warning in warnings.splitlines():
                draw_wrapped(menu.layout.column(align=True), warning, WIDTH, "ERROR")

        context.window_manager.popup_menu(draw, title=self.bl_label, icon="ERROR")
        return {"FINISHED"}


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


CLASSES = (LSRM_OT_use_less, LSRM_OT_show_warnings, LSRM_OT_dismiss)
