# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands that the quality benchmark runs, and its own programs in the backend environment."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from backend.shared.virtual_environments import backend_command, blender_command, child_variables


def backend(*arguments: str) -> dict[str, Any]:
    """Run a command of the backend; returns its JSON document."""
    return _run_json([*backend_command(*arguments), "--json"])


def blender(*arguments: str) -> dict[str, Any]:
    """Run a command inside Blender; returns its JSON document."""
    return _run_json([*blender_command(*arguments), "--json"])


def program(module: str, *arguments: str) -> dict[str, Any]:
    """Run a module of this package in the backend environment; returns its JSON document."""
    python = backend_command()[0]
    return _run_json([python, "-P", "-m", f"{__package__}.{module}", *arguments])


def backend_has(module: str) -> bool:
    """Whether a module is installed in the backend environment."""
    command = [backend_command()[0], "-c", f"import {module}"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _run_json(command: list[str]) -> dict[str, Any]:
    done = subprocess.run(command, env=child_variables(), stdout=subprocess.PIPE, check=True)
    document: dict[str, Any] = json.loads(done.stdout)
    return document
