# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shared libraries that the bpy wheel needs on Linux, and the packages that contain them.

Standard library only.
"""

from __future__ import annotations

import ctypes
import shutil
import sys

# Library: its package for each package manager. Tested on an empty Debian 12; the others by name.
LIBRARIES = {
    #                  apt            dnf             pacman
    "libX11.so.6": ("libx11-6", "libX11", "libx11"),
    "libXrender.so.1": ("libxrender1", "libXrender", "libxrender"),
    "libXfixes.so.3": ("libxfixes3", "libXfixes", "libxfixes"),
    "libXi.so.6": ("libxi6", "libXi", "libxi"),
    "libxkbcommon.so.0": ("libxkbcommon0", "libxkbcommon", "libxkbcommon"),
    "libSM.so.6": ("libsm6", "libSM", "libsm"),
    "libICE.so.6": ("libice6", "libICE", "libice"),
    "libGL.so.1": ("libgl1", "libglvnd-glx", "libglvnd"),
}
INSTALL_COMMANDS = {
    "apt-get": "apt-get install -y --no-install-recommends",
    "dnf": "dnf install -y",
    "pacman": "pacman -S --needed",
}


def missing_libraries() -> list[str]:
    """The names of the libraries that are missing; none on other systems than Linux."""
    if not sys.platform.startswith("linux"):
        return []
    return [name for name in LIBRARIES if not _is_available(name)]


def install_command(libraries: list[str]) -> str:
    """The command of this system's package manager that installs libraries."""
    for column, (manager, command) in enumerate(INSTALL_COMMANDS.items()):
        if shutil.which(manager):
            packages = (LIBRARIES[name][column] for name in libraries if name in LIBRARIES)
            return " ".join([command, *packages])
    return "your package manager"


def _is_available(name: str) -> bool:
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True
