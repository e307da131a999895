# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Levels of detail of imported results as files, without a trace in the open file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...jobs.history import levels_in
from ...jobs.job_folders import folder_name
from ..results import originals
from ..results.export import export_results, selection_kept
from ..results.result_files import find_views, read_result
from ..results.result_import import import_level
from ..scene_state import no_trace

if TYPE_CHECKING:
    from collections.abc import Sequence

    import bpy


def export_levels_beside(
    objects: Sequence[bpy.types.Object], path: Path, kind: str, scene: bpy.types.Scene
) -> list[Path]:
    """Export the coarser levels of detail that the folders of results hold, where those are now.

    Args:
        objects: results of the scene.
        path: of the file with the finest meshes; those of the levels lie beside it.
        kind: as in `export_results`.
        scene: that the window shows.

    Returns:
        The files, `mug_2000.glb` for example.

    Raises:
        BadCapture: if the views of a result are gone, by which its place is known.
        LsrmError: as `export_results` does, or if a level cannot be read.
    """
    finest = {each[originals.RESULT_FOLDER]: each for each in reversed(objects)}
    written = []
    for folder, made in finest.items():
        stem = path.stem if len(finest) == 1 else folder_name(made.name)
        for faces, name in levels_in(Path(folder)).items():
            file = path.with_name(f"{stem}_{faces}{path.suffix}")
            find_views(Path(folder))
            with selection_kept(), no_trace():
                level = import_level(read_result(Path(folder) / name), made, scene)
                export_results(level, file, kind, scene)
            written.append(file)
    return written
