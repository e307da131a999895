# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ground truth of materials: base color, roughness, metallic and normal as pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import bpy

    from ..backend.progress import Progress
    from .scene_cameras import Viewpoint


def write_passes(
    scene: bpy.types.Scene, views: list[Viewpoint], folder: Path, progress: Progress
) -> None:
    """Under construction."""
    raise NotImplementedError
