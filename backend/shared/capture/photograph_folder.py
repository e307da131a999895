# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders of photographs whose cameras are not known yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .capture import TRANSFORMS_NAMES
from .colmap_model import has_colmap_model
from .frame_files import IMAGE_SUFFIXES

if TYPE_CHECKING:
    from pathlib import Path


def count_photographs(folder: Path) -> int:
    """How many images lie in a folder; 0 if it has cameras, or is none."""
    try:
        if any((folder / name).is_file() for name in TRANSFORMS_NAMES) or has_colmap_model(folder):
            return 0
        return sum(path.suffix in IMAGE_SUFFIXES for path in folder.iterdir())
    except OSError:  # no folder, or none that may be read
        return 0
