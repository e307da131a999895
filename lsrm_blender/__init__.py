# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Blender side of LSRM: registration of the panel, its operators and the command line."""

from __future__ import annotations

import importlib
from typing import Any

# Registered in this order, since later ones use earlier ones; unregistered in the reverse order.
MODULES = (
    "views_state",
    "history_state",
    "capture.readiness",
    "properties",
    "relight.relight_settings",
    "relight.relight_state",
    "comparison.comparison_state",
    "addon_preferences",
    "operators",
    "capture.capture_operators",
    "views_operators",
    "setup_operators",
    "history_operators",
    "relight.relight_operators",
    "comparison.comparison_operators",
    "panel",
    "comparison.comparison_panel",
    "relight.relight_panel",
    "history_panel",
)

_commands: list[Any] = []


def register() -> None:
    """Add the panel and its operators, and the command `blender --command lsrm …`."""
    import bpy

    from .commands.command_line import main
    from .ui import history_state, properties, views_state
    from .ui.capture import readiness
    from .ui.comparison import comparison_state
    from .ui.relight import relight_settings, relight_state
    from .ui.translations import TRANSLATIONS

    for each in _classes():
        bpy.utils.register_class(each)
    views_state.attach()
    history_state.attach()
    readiness.attach()
    properties.attach()
    relight_settings.attach()
    relight_state.attach()
    comparison_state.attach()
    bpy.app.translations.register(__package__, TRANSLATIONS)
    # Absent in custom builds without the command line; everything else works without it.
    if hasattr(bpy.utils, "register_cli_command"):
        _commands.append(bpy.utils.register_cli_command("lsrm", main))


def unregister() -> None:
    """Remove what `register` added, in the reverse order, and end all child processes."""
    import bpy

    from .ui import history_state, properties, session_timer, views_state
    from .ui.capture import readiness
    from .ui.comparison import comparison_state
    from .ui.relight import relight_settings, relight_state

    session_timer.unregister()
    while _commands:
        bpy.utils.unregister_cli_command(_commands.pop())
    bpy.app.translations.unregister(__package__)
    comparison_state.detach()
    relight_state.detach()
    relight_settings.detach()
    properties.detach()
    history_state.detach()
    readiness.detach()
    views_state.detach()
    for each in reversed(_classes()):
        bpy.utils.unregister_class(each)


def _classes() -> list[type]:
    """The classes that the modules of `ui` register."""
    modules = [importlib.import_module(f".ui.{name}", __package__) for name in MODULES]
    return [each for module in modules for each in module.CLASSES]
