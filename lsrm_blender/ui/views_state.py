# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of the chosen views before they are reconstructed, for the panel to draw."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy
from bpy.props import BoolProperty, FloatProperty, IntProperty, PointerProperty, StringProperty

from ...backend.shared.capture.photograph_folder import count_photographs
from . import pictures

if TYPE_CHECKING:
    from .properties import LSRM_PG_settings

UNKNOWN = -1.0
CONTACT_SHEET = "views"
"""The name of its picture."""

CHECKED_WITH = ("fix_cameras", "mask_erode", "mask_feather")
"""The settings that a check depends on, beside the views."""


class LSRM_PG_views(bpy.types.PropertyGroup):
    """The outcome of the last check, and of which views; not saved in the file."""

    folder: StringProperty()
    photographs: IntProperty()
    checked: BoolProperty()
    fix_cameras: BoolProperty()
    mask_erode: IntProperty()
    mask_feather: IntProperty()
    views: IntProperty()
    width: IntProperty()
    height: IntProperty()
    sizes: IntProperty()
    mask_files: IntProperty()
    masks_in_alpha: IntProperty()
    missing_masks: IntProperty()
    coverage: FloatProperty(default=UNKNOWN)
    doubtful: BoolProperty()
    refused: BoolProperty()
    likely_cause: StringProperty()
    warnings: StringProperty()
    tools_missing: BoolProperty()
    tools_size: StringProperty()

    def is_of(self, settings: LSRM_PG_settings) -> bool:
        """Whether this is about the views of the settings."""
        return bool(settings.views_folder) and self.folder == settings.views_folder

    def is_checked(self, settings: LSRM_PG_settings) -> bool:
        """Whether the views were checked as the settings would have them read now."""
        same = all(getattr(self, name) == getattr(settings, name) for name in CHECKED_WITH)
        return self.checked and same

    def begin(self, settings: LSRM_PG_settings) -> None:
        """Forget what was known, and look for photographs without cameras in the folder."""
        for name in self.bl_rna.properties.keys():  # noqa: SIM118  RNA
            if name not in ("rna_type", "name"):
                self.property_unset(name)
        pictures.unload(CONTACT_SHEET)
        self.folder = settings.views_folder
        self.photographs = count_photographs(Path(bpy.path.abspath(self.folder)))

    def show_tools(self, extra: dict[str, Any]) -> None:
        """Store whether the tools for photographs are installed, and the size of their download."""
        self.tools_missing, self.tools_size = not extra["installed"], extra["size"]

    def show_check(self, found: dict[str, Any], settings: LSRM_PG_settings, sheet: Path) -> None:
        """Store the answer of the backend to `check`, and its contact sheet."""
        self.checked = True
        for name in CHECKED_WITH:
            setattr(self, name, getattr(settings, name))
        self.views, self.sizes = found["views"], len(found["sizes"])
        self.width, self.height = found["sizes"][-1]
        masks = found["masks"]
        self.mask_files, self.masks_in_alpha = masks["files"], masks["alpha"]
        self.missing_masks = masks["missing"]
        coverage = found["mean_coverage"]
        self.coverage = UNKNOWN if coverage is None else coverage
        self.doubtful, self.refused = found["doubtful"], found["refused"]
        self.likely_cause = found["likely_cause"] or ""
        self.warnings = "\n".join(found["warnings"])
        pictures.load(CONTACT_SHEET, sheet)


CLASSES = (LSRM_PG_views,)


def attach() -> None:
    """Add the pointer to the window manager, after the class is registered."""
    bpy.types.WindowManager.lsrm_views = PointerProperty(type=LSRM_PG_views)


def detach() -> None:
    """Remove the pointer, and the contact sheet."""
    del bpy.types.WindowManager.lsrm_views
    pictures.unload(CONTACT_SHEET)
