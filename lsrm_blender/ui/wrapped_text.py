# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sentences over several lines: Blender's labels do not wrap by themselves."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import bpy


CHARACTERS_PER_POINT = 0.14
"""Of Blender's interface font, about."""


def draw_text(
    layout: bpy.types.UILayout, context: bpy.types.Context, text: str, icon: str = "NONE"
) -> None:
    """Draw a text over as many lines as it needs in the region of the context."""
    scale = context.preferences.system.ui_scale or 1.0
    spare = 4 if icon == "NONE" else 10  # icons, and the button that dismisses a message
    width = max(20, int(context.region.width / scale * CHARACTERS_PER_POINT) - spare)
    column = layout.column(align=True)
    column.scale_y = 0.8
    draw_wrapped(column, text, width, icon)


def draw_wrapped(column: bpy.types.UILayout, text: str, width: int, icon: str = "NONE") -> None:
    """Draw a text as labels of at most `width` characters; the first one has the icon."""
    below = "NONE" if icon == "NONE" else "BLANK1"  # aligned with the text behind the icon
    for number, line in enumerate(textwrap.wrap(text, width, break_on_hyphens=False)):
        column.label(text=line, icon=icon if number == 0 else below, translate=False)
