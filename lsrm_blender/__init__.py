# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Blender side of LSRM: registration of the panel, its operators and the command line."""

from __future__ import annotations

import importlib
from typing import Any

# Registered in this order, since later ones use earlier ones; unregistered in the reverse order.
# Those with `attach` and `detach` add more than classes to Blender.
MODULES = (
    "views_state",
    "history_state",
    "capture.readiness",
    "queue.queue_state",
    "properties",
    "relight.relight_settings",
    "relight.relight_state",
    "comparison.comparison_state",
    "live.live_state",
    "setup.setup_state",
    "setup.self_test",
    "setup.addon_preferences",
    "operators",
    "check_list",
    "capture.capture_operators",
    "capture.demo_object",
    "views_operators",
    "setup.setup_operators",
    "setup.log_operators",
    "setup.repair_operators",
    "history_operators",
    "relight.relight_operators",
    "comparison.comparison_operators",
    "queue.queue_operators",
    "menus.result_operators",
    "menus.menus",
    "menus.dropped_files",
    "menus.status_bar",
    "panel",
    "queue.queue_panel",
    "comparison.comparison_panel",
    "relight.relight_panel",
    "history_panel",
)

_commands: list[Any] = []


def register() -> None:
    """Add the panel and its operators, and the command `blender --command lsrm …`."""
    import bpy

    from .commands.command_line import main
    from .ui.translations import TRANSLATIONS

    modules = _modules()
    for each in (kind for module in modules for kind in module.CLASSES):
        bpy.utils.register_class(each)
    for module in modules:
        if hasattr(module, "attach"):
            module.attach()
    bpy.app.translations.register(__package__, TRANSLATIONS)
    # Absent in custom builds without the command line; everything else works without it.
    if hasattr(bpy.utils, "register_cli_command"):
        _commands.append(bpy.utils.register_cli_command("lsrm", main))


def unregister() -> None:
    """Remove what `register` added, in the reverse order, and end all child processes."""
    import bpy

    from .ui import session_timer

    session_timer.unregister()
    while _commands:
        bpy.utils.unregister_cli_command(_commands.pop())
    bpy.app.translations.unregister(__package__)
    modules = _modules()[::-1]
    for module in modules:
        if hasattr(module, "detach"):
            module.detach()
    for each in (kind for module in modules for kind in reversed(module.CLASSES)):
        bpy.utils.unregister_class(each)


def _modules() -> list[Any]:
    """The modules of `ui` with classes to register."""
    return [importlib.import_module(f".ui.{name}", __package__) for name in MODULES]
