# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension's properties: settings in the scene, the session's state in the window manager."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy
from bpy.props import (
    BoolProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from ...backend.shared.checkpoint_folders import AUTO
from ..capture_choices import (
    ANIMATION,
    CAMERAS,
    COVERAGE,
    EACH,
    FILE,
    RINGS,
    SCENE,
    SOFT_BOXES,
    SPHERE,
    TOGETHER,
    UPPER,
)
from ..jobs.checkpoints import CHOICES

if TYPE_CHECKING:
    from ..jobs.session import SessionState

OWN_FILE = (FILE, "File", "An HDR image of your own")
CAPTURE_LIGHTS = (
    (SOFT_BOXES, "Studio", "Neutral soft boxes on all sides: no part is dark, materials show"),
    (SCENE, "Scene", "The scene's own world and lamps"),
    OWN_FILE,
)
PLACEMENT_ITEMS = (
    (SPHERE, "Sphere", "Evenly all around"),
    (UPPER, "From Above", "Evenly all around, from above only"),
    (RINGS, "Turntable", "Three rings, as on a turntable"),
    (COVERAGE, "Coverage", "All around, and more views where parts are hidden"),
    (CAMERAS, "Scene Cameras", "All perspective cameras of the scene"),
    (ANIMATION, "Camera Animation", "The scene's camera, at frames along its animation"),
)
NO_BACKDROP = "NONE"
BACKDROP_ITEMS = (
    (NO_BACKDROP, "None", "Colors and the common shape of the photographs show the object"),
    ("auto", "Automatic", "The color along the borders of the photographs"),
    ("white", "White", "White or light gray"),
    ("black", "Black", "Black or dark gray"),
    ("green", "Green", "A green screen"),
    ("blue", "Blue", "A blue screen"),
)
MOST_MASK_PIXELS = 100


def _look_at_views(settings: LSRM_PG_settings, context: bpy.types.Context) -> None:
    """Forget what was known of other views."""
    settings.fix_cameras = False
    context.window_manager.lsrm_views.begin(settings)


def _look_at_results(_settings: LSRM_PG_settings, context: bpy.types.Context) -> None:
    """Read the history of another folder."""
    context.window_manager.lsrm_history.read(context.scene)


def _show_live(_settings: LSRM_PG_settings, context: bpy.types.Context) -> None:
    """Show or remove the preview of a running task."""
    context.window_manager.lsrm_live.refresh()


class LSRM_PG_settings(bpy.types.PropertyGroup):
    """The source of a reconstruction, and how it is made."""

    source: EnumProperty(
        name="Source",
        description="What the reconstruction starts from",
        items=(
            ("OBJECTS", "Objects", "Photograph the selected objects from all around"),
            ("VIEWS", "Views", "Posed images, or photographs whose cameras are to be found"),
        ),
    )
    results: EnumProperty(
        name="Results",
        description="What several selected objects become",
        items=(
            (TOGETHER, "One for All", "All selected objects become one result"),
            (EACH, "One Each", "Every selected object becomes a result of its own"),
        ),
    )
    views_folder: StringProperty(
        name="Views",
        description="A capture folder, a transforms.json, a COLMAP model, or photographs",
        subtype="FILE_PATH",
        update=_look_at_views,
    )
    fix_cameras: BoolProperty(
        name="Fix Cameras",
        description="Correct a usual mistake in the cameras, if that makes the masks fit",
    )
    up: EnumProperty(
        name="Up",
        description="Axis of the world of the views that becomes Blender's Z",
        items=(
            ("auto", "Automatic", "As the cameras were held, where they say it"),
            ("z", "Z", "As in Blender"),
            ("y", "Y", "As in glTF and in many tools"),
        ),
    )
    mask_model: StringProperty(
        name="Mask Model",
        description="An ONNX file that makes missing masks; empty means by colors and shape",
        subtype="FILE_PATH",
    )
    mask_backdrop: EnumProperty(
        name="Backdrop",
        description="A plain color behind the object, by which missing masks are made",
        items=BACKDROP_ITEMS,
    )
    mask_erode: IntProperty(
        name="Erode Masks",
        description="Pixels by which masks shrink, where they show some of the background",
        min=0,
        max=MOST_MASK_PIXELS,
    )
    mask_feather: IntProperty(
        name="Feather Masks",
        description="Pixels over which masks are soft at their edge",
        min=0,
        max=MOST_MASK_PIXELS,
    )
    output_folder: StringProperty(
        name="Output",
        description="Where captures and results go; empty means beside the .blend file",
        subtype="DIR_PATH",
        update=_look_at_results,
    )
    result_folder: StringProperty(
        name="Result",
        description="The folder of the last result",
        subtype="DIR_PATH",
    )
    view_count: IntProperty(
        name="Views",
        description="How many images are taken around the object",
        default=16,
        min=4,
        max=512,
    )
    view_size: IntProperty(
        name="Size", description="Of the square images, in pixels", default=512, min=32, max=4096
    )
    placement: EnumProperty(
        name="Cameras", description="Where the views are taken from", items=PLACEMENT_ITEMS
    )
    samples: IntProperty(
        name="Samples", description="Paths that Cycles traces per pixel", default=32, min=1
    )
    capture_light: EnumProperty(
        name="Light", description="What lights the capture", items=CAPTURE_LIGHTS
    )
    capture_environment: StringProperty(
        name="Image",
        description="An equirectangular HDR image",
        subtype="FILE_PATH",
    )
    checkpoint: EnumProperty(
        name="Checkpoint",
        description="The weights of the network",
        items=CHOICES,
        default=AUTO,
    )
    checkpoint_folder: StringProperty(
        name="Weights", description="A folder with a config.json", subtype="DIR_PATH"
    )
    material: EnumProperty(
        name="Material",
        description="What the textures hold",
        items=(
            (
                "auto",
                "Automatic",
                "PBR where the light is known; else a color without it, if it can be separated",
            ),
            ("rgb", "Color", "The color of the views, with the light in it"),
            ("pbr", "PBR", "Base color, roughness and metallic, free of the light"),
        ),
    )
    refine: EnumProperty(
        name="Refine",
        description="Fit the result to the views: sharper, and about half a minute longer",
        items=(
            ("off", "Off", "Take the result as it is"),
            ("auto", "Automatic", "For as long as it gets better"),
        ),
        default="auto",
    )
    live_preview: BoolProperty(
        name="Live Preview",
        description="Show the shape so far in the viewport while a job runs",
        default=True,
        update=_show_live,
    )
    texture_size: EnumProperty(
        name="Texture",
        description="Side of the textures in pixels",
        items=(
            ("auto", "Automatic", "As fine as the views"),
            *((str(size), str(size), "") for size in (256, 512, 1024, 2048, 4096, 8192)),
        ),
        default="auto",
    )
    faces: IntProperty(
        name="Faces",
        description="Triangles of the mesh, about",
        default=50_000,
        min=100,
        max=5_000_000,
    )
    lods: StringProperty(
        name="Levels of Detail",
        description="Triangles of coarser meshes, such as 10000, 2000; empty makes none",
    )
    pack_textures: BoolProperty(
        name="Pack Textures",
        description="Store textures in the .blend file; off leaves them as files beside the result",
        default=True,
    )
    quads: BoolProperty(
        name="Quads",
        description="Also make a mesh of quads with textures of its own, to sculpt and animate",
    )

    def mask_options(self) -> dict[str, Any]:
        """What makes missing masks, and what is changed at the edge of all, for the backend."""
        backdrop = "" if self.mask_backdrop == NO_BACKDROP else self.mask_backdrop
        return {
            "mask_model": bpy.path.abspath(self.mask_model),
            "mask_backdrop": backdrop,
            "mask_erode": self.mask_erode,
            "mask_feather": self.mask_feather,
        }


class LSRM_PG_run(bpy.types.PropertyGroup):
    """The state of the session; not saved in the file."""

    running: BoolProperty()
    stopping: BoolProperty()
    warnings: StringProperty()
    title: StringProperty()
    step: StringProperty()
    stage: StringProperty()
    message: StringProperty()
    overall: FloatProperty(min=0.0, max=1.0)
    fraction: FloatProperty(min=0.0, max=1.0)
    eta: FloatProperty(default=-1.0)
    note: StringProperty()
    result: StringProperty()
    error_code: StringProperty()
    error_message: StringProperty()
    error_remedy: StringProperty()
    log: StringProperty()
    operator: StringProperty()

    def show(self, state: SessionState) -> None:
        """Copy the state of the session."""
        texts = ("title", "step", "stage", "message", "note", "result", "log", "operator")
        for name in ("running", "stopping", *texts):
            setattr(self, name, getattr(state, name))
        self.overall, self.fraction, self.eta = state.overall, state.fraction, state.eta
        self.warnings = "\n".join(state.warnings)
        error = state.error or ("", "", "")
        self.error_code, self.error_message, self.error_remedy = error


CLASSES = (LSRM_PG_settings, LSRM_PG_run)


def attach() -> None:
    """Add the pointers to scene and window manager, after the classes are registered."""
    bpy.types.Scene.lsrm = PointerProperty(type=LSRM_PG_settings)
    bpy.types.WindowManager.lsrm = PointerProperty(type=LSRM_PG_run)


def detach() -> None:
    """Remove the pointers."""
    del bpy.types.WindowManager.lsrm
    del bpy.types.Scene.lsrm
