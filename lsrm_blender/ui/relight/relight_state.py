# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The last pictures under lights, for the panel to draw."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy
from bpy.props import PointerProperty, StringProperty

from .. import pictures

if TYPE_CHECKING:
    from pathlib import Path

LIGHT_SHEET = "lights"
"""The name of the picture."""


class LSRM_PG_relit_pictures(bpy.types.PropertyGroup):
    """Where the last pictures are; not saved in the file."""

    asset: StringProperty()
    folder: StringProperty()

    def show(self, asset: str, folder: Path, small_sheet: Path | None) -> None:
        """Store where the pictures of an asset are, and read their contact sheet."""
        self.asset, self.folder = asset, str(folder)
        pictures.unload(LIGHT_SHEET)
        if small_sheet is not None:
            pictures.load(LIGHT_SHEET, small_sheet)


CLASSES = (LSRM_PG_relit_pictures,)


def attach() -> None:
    """Add the pointer to the window manager, after the class is registered."""
    bpy.types.WindowManager.lsrm_relit_pictures = PointerProperty(type=LSRM_PG_relit_pictures)


def detach() -> None:
    """Remove the pointer, and the picture."""
    del bpy.types.WindowManager.lsrm_relit_pictures
    pictures.unload(LIGHT_SHEET)
