# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two virtual environments: what each holds, its interpreter, and how child processes use it.

`backend` holds torch and `blender` holds the bpy wheel: two, because in real life Blender brings
its own Python, and because bpy wants another numpy than the backend does.

This runs on a fresh machine before anything is installed: standard library only.
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
THIS_PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"
QUIET_THREADS = {"OMP_WAIT_POLICY": "PASSIVE"}
PIN = re.compile(r"(?P<name>[\w.-]+)==(?P<version>[^\s;]+)")
PYTHON_MARKER = re.compile(r"python_version\s*(?P<relation><|>=)\s*'3\.(?P<minor>\d+)'")
SYSTEM_MARKER = re.compile(r"platform_system\s*==\s*'(?P<system>\w+)'")


@dataclass(frozen=True)
class VirtualEnvironment:
    """A virtual environment: where it lies and what belongs into it.

    Attributes:
        name: "backend" or "blender".
        folder: its place on disk.
        requirements: pins in pip's notation.
        variable: the environment variable that names an interpreter to use instead.
    """

    name: str
    folder: Path
    requirements: tuple[str, ...]
    variable: str

    @property
    def python(self) -> Path:
        """Its interpreter, whether it exists yet or not."""
        return self.folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    @property
    def marker(self) -> Path:
        """The file in which a finished installation notes what it installed."""
        return self.folder / "lsrm-installed.json"

    @property
    def installed_by(self) -> str | None:
        """The Python version that installed all requirements, to the end; None if none did."""
        try:
            record = json.loads(self.marker.read_text("utf-8"))
        except (OSError, ValueError):
            return None
        complete = set(self.requirements) <= set(record["requirements"])
        return record["python"] if complete and self.python.exists() else None

    @property
    def ready(self) -> bool:
        """Whether it is complete, and of the Python version that is running."""
        return self.installed_by == THIS_PYTHON


def backend_environment(
    folder: Path = ROOT / ".venv", *, tests: bool = False
) -> VirtualEnvironment:
    """The environment of the backend, on request with what the tests need."""
    extras = ("dev",) if tests else ()
    return VirtualEnvironment(
        "backend", folder / "backend", _pins(main=True, extras=extras), "LSRM_BACKEND"
    )


def blender_environment(folder: Path = ROOT / ".venv") -> VirtualEnvironment:
    """The environment with Blender as a Python module."""
    return VirtualEnvironment(
        "blender", folder / "blender", _pins(extras=("blender",)), "LSRM_BLENDER"
    )


def find_interpreter(environment: VirtualEnvironment) -> Path | None:
    """The Python to use for an environment, or nothing if it has to be installed first.

    In this order: the one that the user named in `environment.variable`, the running one if it
    already holds every pin, the environment's own.

    Raises:
        EnvironmentBroken: if the user named a program that is not there.
    """
    if named := os.environ.get(environment.variable):
        if not Path(named).is_file():
            raise EnvironmentBroken(
                f"{environment.variable} names {named}, which is not there.",
                "Correct the path, or leave it out to have an environment installed.",
            )
        return Path(named)
    if holds(environment.requirements):
        return Path(sys.executable)
    return environment.python if environment.ready else None


def holds(requirements: Iterable[str]) -> bool:
    """Whether the running Python has every pin; a local version such as 2.13.0+cpu counts."""
    pins = [PIN.match(text) for text in requirements if applies(text)]
    try:
        return all(
            pin and metadata.version(pin["name"]).split("+")[0] == pin["version"] for pin in pins
        )
    except metadata.PackageNotFoundError:
        return False


def applies(requirement: str) -> bool:
    """Whether a requirement is meant for this Python and system: the two markers our pins use."""
    if system := SYSTEM_MARKER.search(requirement):
        return platform.system() == system["system"]
    if version := PYTHON_MARKER.search(requirement):
        older = sys.version_info[1] < int(version["minor"])
        return older if version["relation"] == "<" else not older
    return True


def backend_command(*arguments: str) -> list[str]:
    """The command line that runs `backend` from any of our processes, Blender's included.

    Blender's Python may be another version than the one that installed the backend.
    """
    environment = backend_environment()
    python = find_interpreter(environment)
    if python is None and environment.installed_by:
        python = environment.python
    return [str(python or sys.executable), "-P", "-m", "backend", *arguments]


def blender_command(*arguments: str) -> list[str]:
    """The command line that runs `lsrm_blender` from any of our processes."""
    return [sys.executable, "-P", "-m", "lsrm_blender", *arguments]


def child_variables(**changes: str) -> dict[str, str]:
    """The environment variables of a child: ours, but no foreign modules on its path.

    Everything else stays as the user has it, `PIP_*` and proxies above all. Waiting threads sleep
    unless the user says otherwise: by default they spin, and beside any other program they then
    take the cores from those they wait for.
    """
    variables = {k: v for k, v in os.environ.items() if k not in ("PYTHONHOME", "PYTHONPATH")}
    return {**QUIET_THREADS, **variables, "PYTHONPATH": str(ROOT), **changes}


def _pins(*, main: bool = False, extras: Iterable[str] = ()) -> tuple[str, ...]:
    import tomllib  # not there on the Pythons that check_python refuses

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    pins = list(project["dependencies"]) if main else []
    for extra in extras:
        pins += project["optional-dependencies"][extra]
    return tuple(pins)
