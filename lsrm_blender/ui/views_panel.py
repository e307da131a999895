# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of the panel about views: what is known of them, and what would help."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpy.app.translations import pgettext_iface as translate

from . import views_tasks
from .pictures import draw_picture
from .properties import NO_BACKDROP
from .views_state import CONTACT_SHEET
from .wrapped_text import draw_text

if TYPE_CHECKING:
    import bpy

    from .views_state import LSRM_PG_views


def draw_views(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The choice of views, the check, and its outcome."""
    settings, state = context.scene.lsrm, context.window_manager.lsrm_views
    layout.prop(settings, "views_folder")
    row = layout.row()
    row.operator(views_tasks.CHECK, icon="CAMERA_DATA", text="Check")
    row.operator("lsrm.look_through", icon="HIDE_OFF", text="Look Through")
    if settings.fix_cameras:
        layout.prop(settings, "fix_cameras")
    if not state.is_of(settings):
        return
    if state.photographs:
        _draw_photographs(layout.box(), state)
    elif state.is_checked(settings):
        _draw_check(layout.box(), context)


def _draw_photographs(box: bpy.types.UILayout, state: LSRM_PG_views) -> None:
    """A folder of images without cameras."""
    text = translate("{} photographs without cameras").format(state.photographs)
    box.label(text=text, icon="IMAGE_DATA", translate=False)
    _draw_remedy(box, state, views_tasks.FIND_CAMERAS, "CON_CAMERASOLVER")


def _draw_check(box: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The outcome of the check: pictures, masks, and whether cameras and masks fit."""
    state = context.window_manager.lsrm_views
    draw_picture(box, context, CONTACT_SHEET)
    column = box.column(align=True)
    column.label(text=_size(state), icon="IMAGE_DATA", translate=False)
    column.label(text=_masks(state), icon="MOD_MASK", translate=False)
    if state.missing_masks and context.scene.lsrm.mask_backdrop != NO_BACKDROP:
        box.operator(views_tasks.MAKE_MASKS, icon="MOD_MASK")
    elif state.missing_masks:
        _draw_remedy(box, state, views_tasks.MAKE_MASKS, "MOD_MASK")
    else:
        row = column.row()
        row.alert = state.doubtful
        icon = "ERROR" if state.doubtful else "CHECKMARK"
        draw_text(row, context, _verdict(state), icon)
    for warning in state.warnings.splitlines():
        draw_text(box, context, warning, icon="INFO")
    if state.likely_cause and not state.fix_cameras:
        box.operator(views_tasks.FIX_CAMERAS, icon="TOOL_SETTINGS")


def _draw_remedy(box: bpy.types.UILayout, state: LSRM_PG_views, operator: str, icon: str) -> None:
    """A button that needs the tools for photographs, or the one that installs them."""
    if state.tools_missing:
        text = f"{translate('Install Photograph Tools')} ({state.tools_size})"
        box.operator(views_tasks.INSTALL_TOOLS, text=text, icon="IMPORT", translate=False)
    else:
        box.operator(operator, icon=icon)


def _size(state: LSRM_PG_views) -> str:
    """How many views of which size."""
    text = "{} views, {} x {}" if state.sizes == 1 else "{} views, up to {} x {}"
    return translate(text).format(state.views, state.width, state.height)


def _masks(state: LSRM_PG_views) -> str:
    """Where the masks come from."""
    parts = {
        "{} from files": state.mask_files,
        "{} from transparency": state.masks_in_alpha,
        "{} missing": state.missing_masks,
    }
    found = [translate(text).format(count) for text, count in parts.items() if count]
    return f"{translate('Masks')}: {', '.join(found)}"


def _verdict(state: LSRM_PG_views) -> str:
    """Whether cameras and masks fit."""
    if state.refused:
        return translate("Cameras and masks do not fit")
    if state.likely_cause:
        return translate("The cameras are probably wrong")
    text = "Doubtful: {} % of the masks fit" if state.doubtful else "Cameras and masks agree: {} %"
    return translate(text).format(round(100.0 * state.coverage))
