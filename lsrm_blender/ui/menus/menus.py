# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""LSRM in Blender's menus, and so in its search (F3), which finds what is in menus."""

from __future__ import annotations

import bpy

from .result_operators import EXPORT

VIEWS, RESULT = "Posed Views (LSRM)…", "Reconstruction (LSRM)…"

GROUPS = (
    ("lsrm.add_demo_object",),
    ("lsrm.capture", "lsrm.preview_cameras", "lsrm.add_to_queue", "lsrm.run_queue"),
    ("lsrm.pause_queue", "lsrm.cancel"),
    ("lsrm.import_views", "lsrm.check_views", "lsrm.find_cameras", "lsrm.make_masks"),
    ("lsrm.fix_cameras", "lsrm.look_through", "lsrm.export_views"),
    ("lsrm.import_result", "lsrm.compare", "lsrm.export_result", "lsrm.mark_as_asset"),
    ("lsrm.relight", "lsrm.restore_light"),
    ("lsrm.compare_with_views", "lsrm.turntable", "lsrm.light_sheet"),
    ("lsrm.use_less", "lsrm.release", "lsrm.open_log", "lsrm.refresh_history"),
    ("lsrm.install_backend", "lsrm.install_photo_tools", "lsrm.remove_backend"),
    ("lsrm.add_checkpoint", "lsrm.allow_online_access", "lsrm.open_preferences"),
    ("lsrm.show_checks", "lsrm.self_test", "lsrm.copy_report"),
)
"""The operators that need no argument, beside Reconstruct."""

CHOICES = (("lsrm.use_quality", "quality"), ("lsrm.show_light", "shading"))
"""The operators with a choice, which becomes a menu."""


class VIEW3D_MT_lsrm(bpy.types.Menu):
    """All that LSRM can do."""

    bl_idname = "VIEW3D_MT_lsrm"
    bl_label = "LSRM"

    def draw(self, _context: bpy.types.Context) -> None:
        """The operators, in groups."""
        for group in GROUPS:
            for name in group:
                self.layout.operator(name)
            self.layout.separator()
        for name, choice in CHOICES:
            self.layout.operator_menu_enum(name, choice)


def _draw_object_menu(menu: bpy.types.Menu, _context: bpy.types.Context) -> None:
    """What LSRM does with the selected objects."""
    layout = menu.layout
    layout.separator()
    layout.operator("lsrm.reconstruct", icon="MESH_MONKEY").selected = True
    layout.menu(VIEW3D_MT_lsrm.bl_idname)


def _draw_import_menu(menu: bpy.types.Menu, _context: bpy.types.Context) -> None:
    menu.layout.operator("lsrm.import_views", text=VIEWS)
    menu.layout.operator("lsrm.import_result", text=RESULT)


def _draw_export_menu(menu: bpy.types.Menu, _context: bpy.types.Context) -> None:
    menu.layout.operator("lsrm.export_views", text=VIEWS)
    menu.layout.operator(EXPORT, text=RESULT)


CLASSES = (VIEW3D_MT_lsrm,)

ADDITIONS = (
    ("VIEW3D_MT_object", _draw_object_menu),
    ("TOPBAR_MT_file_import", _draw_import_menu),
    ("TOPBAR_MT_file_export", _draw_export_menu),
)
"""Blender's menus, and what draws the lines at their end."""


def attach() -> None:
    """Add the lines to Blender's menus."""
    for name, draw in ADDITIONS:
        getattr(bpy.types, name).append(draw)


def detach() -> None:
    """Remove the lines."""
    for name, draw in ADDITIONS:
        getattr(bpy.types, name).remove(draw)
