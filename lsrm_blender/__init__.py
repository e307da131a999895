# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Blender side of LSRM: what is registered when the extension is enabled."""

from __future__ import annotations

from typing import Any

_registered: list[Any] = []


def register() -> None:
    """Add the `lsrm` command: `blender --command lsrm capture …`."""
    import bpy

    from .command_line import main

    # Absent in custom builds without the command line; everything else works without it.
    if hasattr(bpy.utils, "register_cli_command"):
        _registered.append(bpy.utils.register_cli_command("lsrm", main))


def unregister() -> None:
    """Remove what `register` added, last things first."""
    import bpy

    while _registered:
        bpy.utils.unregister_cli_command(_registered.pop())
