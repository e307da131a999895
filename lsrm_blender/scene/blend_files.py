# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The open file as .blend files: as an output, and as a copy for the second Blender."""

from __future__ import annotations

from pathlib import Path

import bpy

from ...backend.shared.errors import write_failure


def save_blend(path: Path) -> None:
    """Save the open file as .blend, atomically.

    Raises:
        OutputNotWritable, DiskFull: if it cannot be written.
    """
    path = path.absolute()
    part = path.with_name(f".{path.stem}.part.blend")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        bpy.ops.wm.save_as_mainfile(
            filepath=str(part), copy=True, compress=True, relative_remap=True
        )
        part.replace(path)
    except (OSError, RuntimeError) as error:
        raise write_failure(path, error) from error
    finally:
        part.unlink(missing_ok=True)


def save_copy(path: Path) -> None:
    """Save a copy of the open file, fast: it blocks the interface.

    Raises:
        OutputNotWritable, DiskFull: if the copy cannot be written.
    """
    paths = bpy.context.preferences.filepaths
    preview, changed = paths.file_preview_type, bpy.context.preferences.is_dirty
    paths.file_preview_type = "NONE"  # drawing one takes longer than all the rest
    try:
        bpy.ops.wm.save_as_mainfile(
            filepath=str(path), copy=True, compress=False, relative_remap=True
        )
    except (OSError, RuntimeError) as error:
        raise write_failure(path, error) from error
    finally:
        paths.file_preview_type = preview
        bpy.context.preferences.is_dirty = changed


def belongs_to_open_file(name: str) -> bool:
    """Whether objects of a .blend can be those of the open file.

    Args:
        name: the path of the .blend; empty for one that was never saved.
    """
    if not name:
        return True
    if not bpy.data.filepath:
        return False
    # Versions of a file (mug_01.blend, mug_02.blend) lie side by side.
    return Path(name).absolute().parent == Path(bpy.data.filepath).absolute().parent
