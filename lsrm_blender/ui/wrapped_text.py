# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sentences over several lines: Blender's labels do not wrap by themselves."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import bpy


def draw_wrapped(column: bpy.types.UILayout, text: str, width: int, icon: str = "NONE") -> None:
    """Draw a text as labels of at most `width` characters; the first one has the icon."""
    for number, line in enumerate(textwrap.wrap(text, width)):
        column.label(text=line, icon=icon if number == 0 else "NONE", translate=False)
