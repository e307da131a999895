# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exports, pictures and quads of a result folder, for batches: the open file is replaced."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import bpy

from ....backend.shared.atomic_folder import AtomicFolder
from ....backend.shared.names.result_names import MESH
from ...export_formats import GLB, SUFFIXES
from ...jobs.job_folders import folder_name
from ..assets.asset_import import open_empty
from ..relight.renders import relight
from ..results.export import export_results
from ..results.result_files import read_result
from ..results.result_import import import_result
from . import quads

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ....backend.shared.progress import Progress
    from ..relight.renders import RelightSettings

PICTURES = "relit"


def export_levels(
    folder: Path,
    output: Path,
    formats: Sequence[str],
    pictures: RelightSettings | None,
    progress: Progress,
) -> list[str]:
    """Export all levels of detail of a result, each to a folder of its own, and render it.

    Args:
        folder: of the result.
        output: folder of the exports, `mug/mug.obj` and `mug_2000/mug_2000.obj`, for example.
        formats: in upper case.
        pictures: how the finest mesh is rendered to `relit`, if it is.
        progress: receives fractions; may cancel.

    Returns:
        The files, relative to `output`.

    Raises:
        LsrmError: if something cannot be read, exported, rendered or written.
    """
    result = read_result(folder)
    name = folder_name(result.name)
    levels = result.report.get("levels", [])[1:]
    stems = {MESH: name} | {each["file"]: f"{name}_{each['target']}" for each in levels}
    with AtomicFolder(output) as unfinished:
        for number, (file, stem) in enumerate(stems.items() if formats else ()):
            progress.report("export", number / len(stems), stem)
            made = _open_alone(folder / file)
            for kind in formats:
                path = unfinished / stem / f"{stem}{SUFFIXES[kind][0]}"
                path.parent.mkdir(exist_ok=True)
                if kind == GLB:  # as it is: an exporter would store its textures again
                    shutil.copyfile(folder / file, path)
                else:
                    export_results(made, path, kind, bpy.context.scene)
        if pictures is not None:
            relight(_open_alone(folder / MESH), unfinished / PICTURES, pictures, progress)
        return _files_in(unfinished)


def export_quads(
    folder: Path, output: Path, formats: Sequence[str], progress: Progress
) -> list[str]:
    """Make quads of a result, as .blend and in other formats.

    Args:
        folder: of the result.
        output: folder of the quads.
        formats: in upper case.
        progress: receives fractions; may cancel.

    Returns:
        The files, relative to `output`.

    Raises:
        LsrmError: if there are no quads of it, or something cannot be written.
    """
    result = read_result(folder)
    stem = f"{folder_name(result.name)}_quads"
    with AtomicFolder(output) as unfinished:
        (original, *_) = _open_alone(folder / MESH)
        made = quads.make_quads(original, stem, bpy.context.scene, progress)
        for kind in formats:
            path = unfinished / f"{stem}{SUFFIXES[kind][0]}"
            export_results([made], path, kind, bpy.context.scene)
        blend = unfinished / f"{stem}.blend"
        bpy.data.libraries.write(str(blend), {made}, fake_user=False, compress=True)
        return _files_in(unfinished)


def _open_alone(mesh: Path) -> list[bpy.types.Object]:
    """Open a mesh of a result in an empty file."""
    open_empty()
    return import_result(read_result(mesh).detached(), bpy.context.scene)


def _files_in(folder: Path) -> list[str]:
    files = (each for each in folder.rglob("*") if each.is_file())
    return sorted(each.relative_to(folder).as_posix() for each in files)
