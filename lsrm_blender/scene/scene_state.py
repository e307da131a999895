# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Working scenes: work in the user's file that leaves the file unchanged.

No settings are saved and restored. The work happens in a temporary scene that links the user's
objects, so the user's scene is never changed.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import bpy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def _all_blocks() -> Iterator[bpy.types.ID]:
    """Every data-block of the open file."""
    for name in dir(bpy.data):
        blocks = getattr(bpy.data, name)
        if isinstance(blocks, bpy.types.bpy_prop_collection):
            yield from (block for block in blocks if isinstance(block, bpy.types.ID))


def _is_render_result(block: bpy.types.ID) -> bool:
    return isinstance(block, bpy.types.Image) and block.source == "VIEWER"


@contextmanager
def no_trace() -> Iterator[None]:
    """Remove, at the end, every data-block that was made inside, also after an error.

    Code that makes scenes, cameras, worlds, images or copies of materials need not clean up.
    """
    before = {block.session_uid for block in _all_blocks()}
    try:
        yield
    finally:
        made = [block for block in _all_blocks() if block.session_uid not in before]
        bpy.data.batch_remove([block for block in made if not _is_render_result(block)])


@contextmanager
def working_scene(name: str, objects: Iterable[bpy.types.Object]) -> Iterator[bpy.types.Scene]:
    """A temporary scene with the user's objects; it is removed afterwards, with all made for it."""
    frame = bpy.context.scene.frame_current
    with no_trace():
        scene = bpy.data.scenes.new(name)
        scene.frame_set(frame)
        for shown in objects:
            scene.collection.objects.link(shown)
        yield scene


@contextmanager
def copied_scene(original: bpy.types.Scene, name: str) -> Iterator[bpy.types.Scene]:
    """A temporary copy of the user's scene, with its objects, whose settings may be changed."""
    with no_trace():
        scene = original.copy()
        scene.name = name
        yield scene
