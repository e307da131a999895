# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel that shows how close a result is to the views it was made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy
from bpy.app.translations import pgettext_iface as translate

from ..panel import SidebarPanel
from ..pictures import draw_picture
from ..wrapped_text import draw_text
from .comparison_operators import COMPARE
from .comparison_state import PICTURE

if TYPE_CHECKING:
    from .comparison_state import LSRM_PG_comparison

COLUMNS = ("View", "Result", "Difference")


class LSRM_PT_comparison(SidebarPanel, bpy.types.Panel):
    """The button that compares, and the outcome."""

    bl_label = "Compare with Views"
    bl_parent_id = "LSRM_PT_result"

    def draw(self, context: bpy.types.Context) -> None:
        """The button, then scores and picture of the last comparison."""
        self.layout.operator(COMPARE, icon="IMAGE_REFERENCE")
        state = context.window_manager.lsrm_comparison
        if state.result:
            _draw_outcome(self.layout.box(), context, state)


def _draw_outcome(
    box: bpy.types.UILayout, context: bpy.types.Context, state: LSRM_PG_comparison
) -> None:
    """Scores, and the views that are least alike."""
    row = box.row()
    row.label(text=state.asset, icon="CHECKMARK", translate=False)
    row.operator("lsrm.open_folder", text="", icon="FILE_FOLDER").folder = state.result
    light = "Under the light of the views" if state.lit else "Colors, unlit"
    text = translate("{} views: PSNR {} dB, SSIM {}, outline {} %").format(
        state.views, f"{state.psnr:.1f}", f"{state.ssim:.3f}", round(100.0 * state.iou)
    )
    draw_text(box, context, text)
    draw_text(box, context, translate(light))
    draw_text(box, context, translate("Least alike: view {}").format(state.worst))
    grid = box.grid_flow(row_major=True, columns=len(COLUMNS), even_columns=True, align=True)
    for name in COLUMNS:
        row = grid.row()
        row.alignment = "CENTER"
        row.label(text=name)
    draw_picture(box, context, PICTURE)


CLASSES = (LSRM_PT_comparison,)
