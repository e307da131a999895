# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The layouts by name, and the objects of a data set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from backend.shared.errors import BadDataset
from backend.views.selection import spread_views

from . import captures, objects_with_lighting, real, rig, stanford_orb

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from backend.shared.capture.capture import Frame

    from .scene import Scene


@dataclass(frozen=True)
class Layout:
    """How the folders of a data set lie.

    Attributes:
        read: reads the folder of an object, with a scratch folder for what it has to write.
        objects: the folder of all objects, in that of the data set.
        in_order: whether fewer inputs are the first ones, as in the release; else those that are
            seen from directions which differ as much as possible.
    """

    read: Callable[[Path, Path], Scene]
    objects: str = "."
    in_order: bool = False

    def find_objects(self, data: Path) -> dict[str, Path]:
        """The folders of all objects by name: each folder counts, also one that is damaged.

        Raises:
            BadDataset: if there is none.
        """
        folder = data / self.objects
        found = {}
        if folder.is_dir():
            found = {each.name: each for each in sorted(folder.iterdir()) if each.is_dir()}
        objects = {name: path for name, path in found.items() if not name.startswith(".")}
        if not objects:
            raise BadDataset(
                f"There is no folder of an object in {folder}.", "Give the folder of the data set."
            )
        return objects

    def choose(self, inputs: tuple[Frame, ...], count: int) -> list[Frame]:
        """So many of the inputs, or all if there are fewer."""
        return list(inputs[:count]) if self.in_order else spread_views(inputs, count)


LAYOUTS = {
    "captures": Layout(captures.read_novel_views),
    "relit-captures": Layout(captures.read_relit_views),
    "rig": Layout(rig.read_scene, in_order=True),
    "real": Layout(real.read_scene, in_order=True),
    "stanford-orb": Layout(stanford_orb.read_scene, stanford_orb.DISPLAYED),
    "objects-with-lighting": Layout(objects_with_lighting.read_scene),
}
