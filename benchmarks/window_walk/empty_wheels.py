# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages without content, which pip installs instead of those that the backend needs."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

from backend.shared.virtual_environments import PIN, marker_applies

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

WHEEL = "Wheel-Version: 1.0\nGenerator: lsrm\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def write_wheels(requirements: Iterable[str], folder: Path) -> None:
    """Write a wheel for every pinned requirement of this system.

    Args:
        requirements: in pip's notation.
        folder: is made.
    """
    folder.mkdir()
    for text in requirements:
        pin = PIN.match(text)
        if pin and marker_applies(text):
            _write_wheel(pin["name"], pin["version"], folder)


def _write_wheel(name: str, version: str, folder: Path) -> None:
    """A wheel that holds nothing but its description."""
    stem = f"{name.replace('-', '_')}-{version}"
    described = f"{stem}.dist-info"
    files = {
        "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        "WHEEL": WHEEL,
        "RECORD": "".join(f"{described}/{each},,\n" for each in ("METADATA", "WHEEL", "RECORD")),
    }
    with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as wheel:
        for file, content in files.items():
            wheel.writestr(f"{described}/{file}", content)
