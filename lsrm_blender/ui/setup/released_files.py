# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of the released weights, as properties of the preferences and of an operator."""

from __future__ import annotations

from bpy.props import StringProperty  # noqa: TC002 - Blender reads the annotations


class ReleasedFiles:
    """Base of the classes that have these properties."""

    release: StringProperty(
        name="Download",
        description="The folder of the released weights, or one of its files",
        subtype="FILE_PATH",
    )
    dinov3: StringProperty(
        name="DINOv3",
        description="The file of the image features; empty if they are installed",
        subtype="FILE_PATH",
    )
