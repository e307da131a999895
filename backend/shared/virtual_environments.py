# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two virtual environments: their packages, interpreters, and child processes that use them.

`backend` contains PyTorch and `blender` the bpy wheel: two, because Blender comes with a Python of
its own, and because bpy needs another version of numpy than the backend.

Standard library only: this runs before anything is installed.
"""

from __future__ import annotations

import json
import os
import platform
import re
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from ..shared.errors import EnvironmentBroken

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).resolve().parents[2]
PYTHON_VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"
PASSIVE_THREADS = {"OMP_WAIT_POLICY": "PASSIVE"}
PIN = re.compile(r"(?P<name>[\w.-]+)==(?P<version>[^\s;]+)")
PYTHON_MARKER = re.compile(r"python_version\s*(?P<relation><|>=)\s*'3\.(?P<minor>\d+)'")
SYSTEM_MARKER = re.compile(r"platform_system\s*==\s*'(?P<system>\w+)'")


@dataclass(frozen=True)
class VirtualEnvironment:
    """A virtual environment, which may not be installed yet.

    Attributes:
        name: "backend" or "blender".
        folder: of the environment.
        requirements: pinned packages in pip's notation.
        variable: the environment variable that names an interpreter to use instead.
    """

    name: str
    folder: Path
    requirements: tuple[str, ...]
    variable: str

    @property
    def python(self) -> Path:
        """The path of its interpreter, which may not exist yet."""
        return self.folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    @property
    def installation_record(self) -> Path:
        """The JSON file that a finished installation writes: Python version and requirements."""
        return self.folder / "lsrm-installed.json"

    @property
    def installed_python(self) -> str | None:
        """The Python version with all requirements installed; None if that is not finished."""
        try:
            record = json.loads(self.installation_record.read_text("utf-8"))
        except (OSError, ValueError):
            return None
        complete = set(self.requirements) <= set(record["requirements"])
        return record["python"] if complete and self.python.exists() else None

    @property
    def ready(self) -> bool:
        """Whether it is complete, and of the Python version that is running."""
        return self.installed_python == PYTHON_VERSION


def backend_environment(
    folder: Path = ROOT / ".venv", *, tests: bool = False, extras: Iterable[str] = ()
) -> VirtualEnvironment:
    """The environment of the backend.

    Args:
        folder: of all environments.
        tests: whether it also has the packages that the tests need, and the extras they try.
        extras: groups of optional dependencies in pyproject.toml that it also has.
    """
    groups = (*(("dev", "photos", "onnx") if tests else ()), *extras)
    return VirtualEnvironment(
        "backend", folder / "backend", _pins(main=True, extras=groups), "LSRM_BACKEND"
    )


def blender_environment(folder: Path = ROOT / ".venv") -> VirtualEnvironment:
    """The environment with Blender as a Python module."""
    return VirtualEnvironment(
        "blender", folder / "blender", _pins(extras=("blender",)), "LSRM_BLENDER"
    )


def find_interpreter(environment: VirtualEnvironment) -> Path | None:
    """The Python to use for an environment; None if it has to be installed first.

    In this order: the one named by the variable `environment.variable`, the running one if it has
    every requirement installed, the one in the environment's folder.

    Raises:
        EnvironmentBroken: if the variable names a program that does not exist.
    """
    if named := os.environ.get(environment.variable):
        if not Path(named).is_file():
            raise EnvironmentBroken(
                f"{environment.variable} names {named}, which does not exist.",
                "Correct the path, or unset the variable to have an environment installed.",
            )
        return Path(named)
    if are_installed(environment.requirements):
        return Path(sys.executable)
    return environment.python if environment.ready else None


def are_installed(requirements: Iterable[str]) -> bool:
    """Whether the running Python has all pinned packages; a local version (2.13.0+cpu) counts."""
    pins = [PIN.match(text) for text in requirements if marker_applies(text)]
    try:
        return all(
            pin and metadata.version(pin["name"]).split("+")[0] == pin["version"] for pin in pins
        )
    except metadata.PackageNotFoundError:
        return False


def marker_applies(requirement: str) -> bool:
    """Whether a requirement is for this system or Python version.

    Knows the two environment markers that `pyproject.toml` uses: platform_system, python_version.
    """
    if system := SYSTEM_MARKER.search(requirement):
        return platform.system() == system["system"]
    if version := PYTHON_MARKER.search(requirement):
        older = sys.version_info[1] < int(version["minor"])
        return older if version["relation"] == "<" else not older
    return True


def backend_command(*arguments: str) -> list[str]:
    """The command line that runs `python3 -m backend ARGUMENTS` in its own environment.

    Called in Blender, whose Python may have another version than that of the backend.
    """
    environment = backend_environment()
    python = find_interpreter(environment)
    if python is None and environment.installed_python:
        python = environment.python
    return [str(python or sys.executable), "-P", "-m", "backend", *arguments]


def blender_command(*arguments: str) -> list[str]:
    """The command line that runs `python3 -m lsrm_blender ARGUMENTS`."""
    return [sys.executable, "-P", "-m", "lsrm_blender", *arguments]


def child_variables(**changes: str) -> dict[str, str]:
    """The environment variables of a child process, with only LSRM on its module path.

    Everything else stays as the user has it, `PIP_*` and proxies above all. Waiting threads of
    OpenMP sleep unless the user says otherwise: by default they spin, and beside other programs
    they then take the cores from the threads that they wait for.

    Args:
        changes: variables to add or replace.
    """
    variables = {k: v for k, v in os.environ.items() if k not in ("PYTHONHOME", "PYTHONPATH")}
    return {**PASSIVE_THREADS, **variables, "PYTHONPATH": str(ROOT), **changes}


def _pins(*, main: bool = False, extras: Iterable[str] = ()) -> tuple[str, ...]:
    import tomllib  # missing in the Pythons that check_python rejects

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    pins = list(project["dependencies"]) if main else []
    for extra in extras:
        pins += project["optional-dependencies"][extra]
    return tuple(pins)
