# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The views of a capture before it is made, and a preview of their cameras in the scene."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy
from mathutils import Matrix

from ....backend.shared.blender_cameras import blender_from_intrinsics
from ...capture_choices import COVERAGE
from ..cameras.camera_plan import (
    CameraPlan,
    existing_cameras,
    plan_cameras,
    plan_coverage,
    plan_directions,
)
from ..cameras.existing_cameras import VIEW
from ..rendered_geometry import bounding_sphere, viewport_geometry
from ..scene_state import working_scene

if TYPE_CHECKING:
    from ....backend.shared.capture.capture import BoundingSphere
    from ..assets.asset_objects import Asset
    from ..cameras.scene_cameras import Viewpoint
    from ..rendered_geometry import Geometry
    from .settings import CaptureSettings

PREVIEW = "LSRM Preview"
"""The collection of the cameras that are shown before a capture."""

DISPLAY_SHARE = 0.25
"""The drawn size of a camera, in radii of the object."""


def plan_views(
    found: tuple[Viewpoint, ...],
    geometry: Geometry,
    sphere: BoundingSphere,
    settings: CaptureSettings,
) -> CameraPlan:
    """The views of a capture.

    Args:
        found: cameras of the scene, where the placement takes them.
        geometry: of the object.
        sphere: around it.
        settings: of the capture.

    Raises:
        TooFewViews: if the cameras that were found do not show the object.
    """
    if found:
        return plan_cameras(found, geometry.vertices)
    if settings.placement == COVERAGE:
        return plan_coverage(
            settings.views, geometry.vertices, geometry.triangles, sphere, settings.framing
        )
    return plan_directions(settings.placement, settings.views)


def show_preview(asset: Asset, scene: bpy.types.Scene, settings: CaptureSettings) -> CameraPlan:
    """Show the cameras of a capture in the scene, in a collection of their own.

    The shape is that of the viewport, so that nothing is rendered: where modifiers have another
    level for renders, the cameras of the capture stand a little nearer or farther.

    Args:
        asset: that is captured.
        scene: that shows it.
        settings: of the capture.

    Returns:
        The plan of its views.

    Raises:
        BadAsset: if the objects have no surface.
        TooFewViews, BadCamera: if the placement needs cameras that the scene does not have.
    """
    remove_preview(scene)
    found = existing_cameras(scene, settings.placement, settings.framing.size, settings.views)
    with working_scene("LSRM preview", asset.objects, asset.poses) as working:
        geometry = viewport_geometry(working)
    sphere = bounding_sphere(geometry.vertices)
    plan = plan_views(found, geometry, sphere, settings)
    collection = bpy.data.collections.new(PREVIEW)
    collection.hide_render = True
    scene.collection.children.link(collection)
    for view in plan.viewpoints(geometry.vertices, sphere, settings.framing):
        collection.objects.link(_preview_camera(view, DISPLAY_SHARE * sphere.radius))
    return plan


def preview_of(scene: bpy.types.Scene) -> bpy.types.Collection | None:
    """The collection of previewed cameras in a scene, if there is one."""
    children = scene.collection.children
    return next((each for each in children if each.name.startswith(PREVIEW)), None)


def remove_preview(scene: bpy.types.Scene) -> None:
    """Remove the previewed cameras from a scene; what the artist put beside them stays."""
    collection = preview_of(scene)
    if collection is None:
        return
    made = [each for each in collection.objects if VIEW in each.keys()]  # noqa: SIM118  RNA
    bpy.data.batch_remove([block for each in made for block in (each, each.data)])
    if not collection.objects and not collection.children:
        bpy.data.collections.remove(collection)


def _preview_camera(view: Viewpoint, size: float) -> bpy.types.Object:
    """A camera that shows where a view is taken from; it cannot be selected by accident."""
    name = f"LSRM {view.name}"
    data = bpy.data.cameras.new(name)
    settings = blender_from_intrinsics(view.intrinsics)
    for setting in ("sensor_fit", "sensor_width", "sensor_height", "lens", "shift_x", "shift_y"):
        setattr(data, setting, getattr(settings, setting))
    data.display_size = size
    camera = bpy.data.objects.new(name, data)
    camera.matrix_world = Matrix(view.camera_to_world.tolist())
    camera.hide_select = True
    camera[VIEW] = ""
    return camera
