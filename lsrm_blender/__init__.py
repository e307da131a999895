# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Blender side of LSRM: what is registered when the extension is enabled."""

from __future__ import annotations

import importlib
from typing import Any

# In the order in which one needs the other; they go in the reverse order.
MODULES = ("ui.properties", "preferences", "ui.operators", "ui.setup_operators", "ui.panel")

_commands: list[Any] = []


def register() -> None:
    """Add the panel and its operators, and the command `blender --command lsrm …`."""
    import bpy

    from .commands.command_line import main
    from .ui.properties import attach
    from .ui.translations import TRANSLATIONS

    for each in _classes():
        bpy.utils.register_class(each)
    attach()
    bpy.app.translations.register(__package__, TRANSLATIONS)
    # Absent in custom builds without the command line; everything else works without it.
    if hasattr(bpy.utils, "register_cli_command"):
        _commands.append(bpy.utils.register_cli_command("lsrm", main))


def unregister() -> None:
    """Remove what `register` added, last things first; no process of ours stays."""
    import bpy

    from .ui import window
    from .ui.properties import detach

    window.unregister()
    while _commands:
        bpy.utils.unregister_cli_command(_commands.pop())
    bpy.app.translations.unregister(__package__)
    detach()
    for each in reversed(_classes()):
        bpy.utils.unregister_class(each)


def _classes() -> list[type]:
    """What our modules want to have registered."""
    modules = [importlib.import_module(f".{name}", __package__) for name in MODULES]
    return [each for module in modules for each in module.CLASSES]
