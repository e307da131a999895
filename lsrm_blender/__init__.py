# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Blender side of LSRM: what is registered when the extension is enabled."""

from __future__ import annotations

import importlib
from typing import Any

# In the order in which one needs the other; they go in the reverse order.
MODULES = ("properties", "preferences", "operators", "setup_operators", "panel")

_registered: list[Any] = []


def register() -> None:
    """Add the panel and its operators, and the command `blender --command lsrm …`."""
    import bpy

    from .command_line import main

    for name in MODULES:
        importlib.import_module(f".{name}", __package__).register()
    # Absent in custom builds without the command line; everything else works without it.
    if hasattr(bpy.utils, "register_cli_command"):
        _registered.append(bpy.utils.register_cli_command("lsrm", main))


def unregister() -> None:
    """Remove what `register` added, last things first; no process of ours stays."""
    import bpy

    from . import window

    window.unregister()
    while _registered:
        bpy.utils.unregister_cli_command(_registered.pop())
    for name in reversed(MODULES):
        importlib.import_module(f".{name}", __package__).unregister()
