# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The user's documents, where results go that belong to no file.

Blender removes an extension's own folder with the extension; results must outlive it.
"""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress
from pathlib import Path

FOLDER = "LSRM"
XDG_DOCUMENTS = re.compile(r'^\s*XDG_DOCUMENTS_DIR\s*=\s*"(.+)"', re.MULTILINE)
SHELL_FOLDERS = r"Software\Microsoft\Windows\CurrentVersion\Explorer\User Shell Folders"


def results_folder() -> Path:
    """The folder for results of files that were never saved; it may not exist yet."""
    home = Path.home()
    found = (*_named_by_system(home), home / "Documents", home)
    return next((folder for folder in found if folder.is_dir()), home) / FOLDER


def _named_by_system(home: Path) -> list[Path]:
    """The documents as the system's settings name them, which may be in another language."""
    if sys.platform == "win32":
        return _windows_documents()
    settings = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config") / "user-dirs.dirs"
    try:
        named = XDG_DOCUMENTS.search(settings.read_text("utf-8"))
    except (OSError, ValueError):
        return []
    return [Path(named[1].replace("$HOME", str(home)))] if named else []


def _windows_documents() -> list[Path]:
    """The documents on Windows, which may lie in OneDrive or on another drive."""
    found: list[Path] = []
    if sys.platform == "win32":
        import winreg

        with suppress(OSError), winreg.OpenKey(winreg.HKEY_CURRENT_USER, SHELL_FOLDERS) as key:
            found.append(Path(os.path.expandvars(winreg.QueryValueEx(key, "Personal")[0])))
    return found
