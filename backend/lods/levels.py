# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Coarser meshes of a result, each with a UV layout, textures and a normal map of its own.

Edge collapse tears the charts of the finest mesh, so every level is unwrapped again. Its textures
are taken from those of the finest mesh, not from the views: that costs a tenth, and all levels look
alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..materials.estimate import weld
from ..mesh.cleaning import decimate
from ..mesh.unwrap import unwrap
from .texture_transfer import TextureTransfer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..mesh.glb import Textures
    from ..mesh.triangle_mesh import UnwrappedMesh
    from ..shared.progress import Progress

STAGE = "levels"


@dataclass(frozen=True)
class Level:
    """A coarser mesh.

    Attributes:
        target: triangles that were requested.
        mesh: in the frame of the finest mesh.
        textures: of its one material, with a normal map.
    """

    target: int
    mesh: UnwrappedMesh
    textures: Textures


def make_levels(
    finest: UnwrappedMesh, textures: Textures, targets: Sequence[int], progress: Progress
) -> Iterator[Level]:
    """Make a level for each target below the number of triangles that the finest mesh has.

    Args:
        finest: the mesh of the result.
        textures: of it.
        targets: numbers of triangles, falling.
        progress: receives fractions of the stage `levels`; may cancel.

    Raises:
        BackendDied: if the unwrapping process dies.
        Cancelled: if the user stopped it.
    """
    welded, _ = weld(finest)
    transfer = TextureTransfer(finest, textures)
    for number, target in enumerate(targets):
        start = number / len(targets)
        progress.report(STAGE, start, f"{target} faces")
        if target >= len(welded.faces):
            continue
        mesh = unwrap(decimate(welded, target), finest.texture_size, progress)
        progress.report(STAGE, start + 0.3 / len(targets), f"textures of {target} faces")
        yield Level(target, mesh, transfer.bake(mesh, progress))
