# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way from a shell into Blender: which Blender is taken, and what reaches stdout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from backend.shared.virtual_environments import child_variables

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the stand-in is a shell script")


@pytest.fixture
def stand_in(blender_python, tmp_path):
    """Make a program that behaves like a whole Blender of some version: banner, then script."""

    def make(banner: str) -> Path:
        program = tmp_path / "blender"
        program.write_text(
            f'#!/bin/sh\necho "{banner}"\n[ "$1" = --version ] && exit\n'
            f'exec {blender_python} -P "$6" "$@"\n'
        )
        program.chmod(0o755)
        return program

    return make


def lsrm(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run `python3 -m lsrm_blender` as a user does."""
    command = [sys.executable, "-P", "-m", "lsrm_blender", *map(str, arguments)]
    return subprocess.run(
        command, env=child_variables(), capture_output=True, text=True, check=False
    )


def test_a_whole_blender_answers_with_json_alone(stand_in, tmp_path):
    """Blender's banner goes to stderr; stdout is one document, and the exit code is ours."""
    blender = stand_in("Blender 4.3.2")
    capture = ["capture", tmp_path / "absent.glb", "-o", tmp_path / "views", "--json"]
    result = lsrm("--blender", blender, *capture)
    assert result.returncode == 1, result.stderr
    assert json.loads(result.stdout)["error"]["code"] == "BAD_ASSET"
    assert "Blender 4.3.2" in result.stderr


@pytest.mark.parametrize("banner", ["Blender 4.1.1", "GIMP 3.0"])
def test_an_old_blender_and_another_program_are_refused(stand_in, banner):
    """4.2 is the first Blender with extensions; anything else gives an error that names it."""
    blender = stand_in(banner)
    result = lsrm("capture", "a.glb", "-o", "views", "--blender", blender, "--json")
    assert result.returncode == 3
    error = json.loads(result.stdout)["error"]
    assert error["code"] == "ENVIRONMENT_BROKEN"
    assert str(blender) in error["message"]


def test_help_needs_no_blender(repository):
    """A newcomer can read what there is before anything is installed."""
    command = [sys.executable, "-S", "-m", "lsrm_blender", "--help"]
    result = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "capture" in result.stdout
