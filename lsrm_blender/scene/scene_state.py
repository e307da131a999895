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
    from collections.abc import Iterable, Iterator, Mapping

    from mathutils import Matrix

# What a scene decides about the shape of its objects, and about how their materials look.
SCENE_STATE = ("frame_start", "frame_end", "use_gravity", "gravity", "active_clip")
RENDER_STATE = (
    "use_simplify", "simplify_subdivision_render", "simplify_child_particles_render",
    "simplify_volumes", "fps", "fps_base", "frame_map_old", "frame_map_new",
    "hair_type", "hair_subdiv",
)  # fmt: skip
CYCLES_STATE = (
    "feature_set", "shading_system", "dicing_rate", "max_subdivisions", "texture_limit_render",
    "min_light_bounces", "min_transparent_bounces", "max_bounces", "diffuse_bounces",
    "glossy_bounces", "transmission_bounces", "volume_bounces", "transparent_max_bounces",
    "caustics_reflective", "caustics_refractive", "blur_glossy", "volume_step_rate",
    "volume_max_steps", "use_fast_gi", "fast_gi_method", "ao_bounces_render",
)  # fmt: skip
HAIR_STATE = ("shape", "subdivisions")


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
def working_scene(
    name: str,
    objects: Iterable[bpy.types.Object],
    poses: Mapping[str, Matrix] | None = None,
) -> Iterator[bpy.types.Scene]:
    """A temporary scene with the user's objects; it is removed afterwards, with all made for it.

    Args:
        name: of the scene.
        objects: of the open file.
        poses: world matrices of objects, by name, that replace their own: copies stand there.
    """
    original = bpy.context.scene
    with no_trace():
        scene = bpy.data.scenes.new(name)
        _copy_state(original, scene)
        scene.frame_set(original.frame_current, subframe=original.frame_subframe)
        for shown in objects:
            pose = (poses or {}).get(shown.name)
            scene.collection.objects.link(shown if pose is None else posed_copy(shown, pose))
        yield scene


def posed_copy(shown: bpy.types.Object, pose: Matrix) -> bpy.types.Object:
    """A copy of an object that nothing moves from a world matrix."""
    copy = shown.copy()
    copy.animation_data_clear()
    copy.constraints.clear()
    copy.parent = None
    copy.matrix_world = pose
    return copy


def _copy_state(original: bpy.types.Scene, scene: bpy.types.Scene) -> None:
    """Give a working scene what decides in the user's scene how its objects look."""
    _copy_properties(original, scene, SCENE_STATE)
    _copy_properties(original.render, scene.render, RENDER_STATE)
    for group, names in (("cycles", CYCLES_STATE), ("cycles_curves", HAIR_STATE)):
        if hasattr(original, group) and hasattr(scene, group):
            _copy_properties(getattr(original, group), getattr(scene, group), names)
    for key, value in original.items():  # drivers may read them
        if isinstance(value, (int, float, str)):
            scene[key] = value
    used = [layer for layer in original.view_layers if layer.use]
    if used:
        scene.view_layers[0].material_override = used[0].material_override


def _copy_properties(source: object, target: object, names: Iterable[str]) -> None:
    """Copy the properties that this version of Blender has, where they differ."""
    for name in names:
        value = getattr(source, name, None)
        if value is not None and value != getattr(target, name, None):
            setattr(target, name, value)


@contextmanager
def copied_scene(original: bpy.types.Scene, name: str) -> Iterator[bpy.types.Scene]:
    """A temporary copy of the user's scene, with its objects, whose settings may be changed."""
    with no_trace():
        scene = original.copy()
        scene.name = name
        yield scene
