# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator that adds an object to try LSRM with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy
from mathutils import Vector

from ...object_mode import ObjectModeOperator
from ...scene import demo_asset
from ...scene.assets.asset_objects import SHOWN_TYPES
from ...scene.results.originals import select_only

if TYPE_CHECKING:
    from collections.abc import Iterable

ADD_DEMO = "lsrm.add_demo_object"
GAP = 0.3
"""Between the object and what stands beside it, in units of the scene."""


class LSRM_OT_add_demo_object(ObjectModeOperator, bpy.types.Operator):
    """Add a toy rocket to try LSRM with, where it touches nothing, and select it."""

    bl_idname = ADD_DEMO
    bl_label = "Add Demo Object"
    bl_description = "Add a toy rocket to try LSRM with, where it touches nothing, and select it"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Add it at the 3D cursor, or beside what stands there."""
        scene = context.scene
        location = _free_location(scene.cursor.location, context.visible_objects)
        root = demo_asset.add_rocket(scene)
        root.location = location
        select_only([root], [context.view_layer])
        return {"FINISHED"}


def _free_location(cursor: Vector, objects: Iterable[bpy.types.Object]) -> Vector:
    """The cursor; if something visible is there, to the right of everything."""
    radius, height = demo_asset.RADIUS, demo_asset.HEIGHT
    lower = cursor - Vector((radius, radius, 0.0))
    upper = cursor + Vector((radius, radius, height))
    boxes = [_box(each) for each in objects if each.type in SHOWN_TYPES]
    if not any(_overlap(lower, upper, *box) for box in boxes):
        return cursor.copy()
    right = max(highest.x for _, highest in boxes)
    return Vector((right + GAP + radius, cursor.y, cursor.z))


def _box(shown: bpy.types.Object) -> tuple[Vector, Vector]:
    """The lowest and highest coordinates of an object in the world."""
    corners = [shown.matrix_world @ Vector(corner) for corner in shown.bound_box]
    axes = list(zip(*corners, strict=True))
    return Vector([min(axis) for axis in axes]), Vector([max(axis) for axis in axes])


def _overlap(lower: Vector, upper: Vector, lowest: Vector, highest: Vector) -> bool:
    """Whether two boxes have points in common."""
    return all(lower[axis] <= highest[axis] and lowest[axis] <= upper[axis] for axis in range(3))


CLASSES = (LSRM_OT_add_demo_object,)
