# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a shell into Blender: the front process, its help, and what reaches stdout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from backend.shared.virtual_environments import child_variables

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the fake Blender is a shell script")


@pytest.fixture
def fake_blender(blender_python, tmp_path):
    """A function that makes a program which prints a banner and runs a script, as Blender does."""

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


def test_a_whole_blender_prints_json_alone(fake_blender, tmp_path):
    """Blender's banner goes to stderr; stdout is one document, and the exit code the command's."""
    blender = fake_blender("Blender 4.3.2")
    capture = ["capture", tmp_path / "absent.glb", "-o", tmp_path / "views", "--json"]
    result = lsrm("--blender", blender, *capture)
    assert result.returncode == 1, result.stderr
    assert json.loads(result.stdout)["error"]["code"] == "BAD_ASSET"
    assert "Blender 4.3.2" in result.stderr


@pytest.mark.parametrize("banner", ["Blender 4.1.1", "GIMP 3.0"])
def test_old_blenders_and_other_programs_are_refused(fake_blender, banner):
    """4.2 is the first Blender with extensions; anything else gives an error that names it."""
    blender = fake_blender(banner)
    result = lsrm("capture", "a.glb", "-o", "views", "--blender", blender, "--json")
    assert result.returncode == 3
    error = json.loads(result.stdout)["error"]
    assert error["code"] == "ENVIRONMENT_BROKEN"
    assert str(blender) in error["message"]


@pytest.fixture
def without_packages(repository, tmp_path):
    """Run `python3 -m lsrm_blender` in a fresh clone, with the standard library alone."""
    clone = tmp_path / "clone"
    for folder in ("backend", "lsrm_blender"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(repository / folder, clone / folder, ignore=ignored)
    for file in ("__init__.py", "pyproject.toml"):
        shutil.copy(repository / file, clone / file)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-S", "-B", "-m", "lsrm_blender", *arguments]
        done = subprocess.run(
            command, cwd=clone, env={"HOME": str(tmp_path)}, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert "installing" not in done.stderr
        assert not (clone / ".venv").exists()
        return done

    return run


COMMANDS = {
    "capture": "--test-views", "import": "--into", "relight": "--turntable",
    "evaluate": "--shading", "demo-asset": "FILE.blend", "convert": "--retry-failed",
    "doctor": "--json", "serve": "--verbose",
}  # fmt: skip


def test_help_needs_no_blender(without_packages):
    """The help of the program and of every command is printed before anything is installed."""
    result = without_packages("--help")
    assert (result.returncode, result.stderr) == (0, "")
    assert all(command in result.stdout for command in COMMANDS)
    for command, option in COMMANDS.items():
        result = without_packages(command, "--help")
        assert (result.returncode, result.stderr) == (0, ""), command
        assert option in result.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--no-such-option",),
        ("no-such-command",),
        ("capture",),
        ("capture", "a.glb", "-o", "views", "--views", "0"),
        ("capture", "a.glb", "-o", "views", "--field-of-view", "wide"),
        ("capture", "a.glb", "-o", "views", "--passes"),
        ("relight", "result", "-o", "pictures"),
        ("evaluate", "views", "result", "--environment", "studio.hdr"),
        ("evaluate", "views", "result", "--shading", "passes", "--environment", "studio.hdr"),
        ("convert", "a.glb", "-o", "out", "--refine", "soon"),
        ("doctor", "--no-such-option"),
    ],
)
def test_wrong_usage_needs_no_blender(without_packages, arguments):
    """An unknown command, a missing or a bad option exits with code 2; nothing is installed."""
    result = without_packages(*arguments)
    assert result.returncode == 2, result.stderr
    assert result.stdout == ""
    assert "usage:" in result.stderr
