# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The outcome of the last comparison of a result with its views, for the panel to draw."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy
from bpy.props import BoolProperty, FloatProperty, IntProperty, PointerProperty, StringProperty

from .. import pictures

if TYPE_CHECKING:
    from pathlib import Path

PICTURE = "comparison"
"""The name of the picture."""


class LSRM_PG_comparison(bpy.types.PropertyGroup):
    """Scores of a result; not saved in the file."""

    asset: StringProperty()
    result: StringProperty()
    views: IntProperty()
    psnr: FloatProperty()
    ssim: FloatProperty()
    iou: FloatProperty()
    worst: StringProperty()
    lit: BoolProperty()

    def show(self, asset: str, result: Path, scores: dict[str, Any], picture: Path) -> None:
        """Store the scores of a result, and read their picture.

        Args:
            asset: what the result is called.
            result: its folder.
            scores: the backend's answer to `compare`, and whether the result was `lit`.
            picture: a small PNG file.
        """
        self.asset, self.result = asset, str(result)
        self.views, self.worst, self.lit = len(scores["views"]), scores["worst"], scores["lit"]
        for name in ("psnr", "ssim", "iou"):
            setattr(self, name, scores["mean"][name])
        pictures.load(PICTURE, picture)


CLASSES = (LSRM_PG_comparison,)


def attach() -> None:
    """Add the pointer to the window manager, after the class is registered."""
    bpy.types.WindowManager.lsrm_comparison = PointerProperty(type=LSRM_PG_comparison)


def detach() -> None:
    """Remove the pointer, and the picture."""
    del bpy.types.WindowManager.lsrm_comparison
    pictures.unload(PICTURE)
