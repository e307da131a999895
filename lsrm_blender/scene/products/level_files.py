# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Levels of detail of imported results as files, without a trace in the open file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ....backend.shared.errors import BadRequest, OutputNotWritable
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


@dataclass(frozen=True)
class LevelFile:
    """A coarser level of detail that is to be exported.

    Attributes:
        finest: the finest mesh of the same result, in the scene.
        mesh: the file of the level in the result folder.
        path: of the file to write.
    """

    finest: bpy.types.Object
    mesh: Path
    path: Path


def plan_level_files(objects: Sequence[bpy.types.Object], path: Path) -> list[LevelFile]:
    """The coarser levels of detail that the folders of results hold, and the files for them.

    Args:
        objects: results of a scene.
        path: of the file with the finest meshes; those of the levels lie beside it, for example
            `mug_2000.glb` beside `mug.glb`.

    Raises:
        BadCapture: if the views of a result are gone, by which its place is known.
        BadRequest: if two of all these files would be one.
    """
    finest = {each[originals.RESULT_FOLDER]: each for each in reversed(objects)}
    planned = []
    for folder, made in finest.items():
        stem = path.stem if len(finest) == 1 else folder_name(made.name)
        levels = levels_in(Path(folder))
        if levels:
            find_views(Path(folder))
        for faces, name in levels.items():
            file = path.with_name(f"{stem}_{faces}{path.suffix}")
            planned.append(LevelFile(made, Path(folder) / name, file))
    if len({path, *(each.path for each in planned)}) <= len(planned):
        names = ", ".join(each.path.name for each in planned)
        raise BadRequest(
            f"Two of these files would be one: {path.name}, {names}.",
            "Choose another name for the file, or for the objects.",
        )
    return planned


def check_nothing_replaced(planned: Sequence[LevelFile]) -> None:
    """Refuse to replace files: the file browser asks for the file with the finest meshes only.

    Raises:
        OutputNotWritable: if there is a file in the place of a level.
    """
    there = [each.path for each in planned if each.path.exists()]
    if there:
        raise OutputNotWritable(
            f"{', '.join(each.name for each in there)} in {there[0].parent} would be overwritten.",
            "Choose another name or folder, or Overwrite Levels.",
        )


def export_level_files(planned: Sequence[LevelFile], kind: str, scene: bpy.types.Scene) -> None:
    """Export levels of detail to where the finest meshes of their results are now.

    Args:
        planned: by `plan_level_files`.
        kind: as in `export_results`.
        scene: of the finest meshes, that the window shows.

    Raises:
        LsrmError: as `export_results` does, or if a level cannot be read.
    """
    for each in planned:
        with selection_kept(), no_trace():
            made = import_level(read_result(each.mesh), each.finest, scene)
            export_results(made, each.path, kind, scene)
