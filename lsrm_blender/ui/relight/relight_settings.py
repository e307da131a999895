# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The properties of relighting: the light, and the pictures that are made under lights."""

from __future__ import annotations

import logging
import math
from pathlib import Path

import bpy
from bpy.props import (
    BoolProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from ....backend.shared.errors import LsrmError
from ...capture_choices import BUNDLED, SOFT_BOXES
from ...scene.lighting import EnvironmentLight
from ...scene.relight import relit_scene
from . import light_list

LOGGER = logging.getLogger(__name__)


def _set_light(settings: LSRM_PG_relight_settings, _context: bpy.types.Context) -> None:
    """Another light was chosen: a relit scene shows it at once."""
    if not relit_scene.is_relit(settings.id_data):
        return
    try:
        relit_scene.set_environment(settings.id_data, settings.environment())
    except LsrmError as error:  # such as a file that is gone: the button says it
        LOGGER.warning("%s", error)


def _adjust(settings: LSRM_PG_relight_settings, _context: bpy.types.Context) -> None:
    relit_scene.adjust(settings.id_data, settings.strength, math.degrees(settings.rotation))


def _read_folder(settings: LSRM_PG_relight_settings, _context: bpy.types.Context) -> None:
    light_list.read(settings.folder)


def _items(
    settings: LSRM_PG_relight_settings, _context: bpy.types.Context | None
) -> list[tuple[str, str, str, int, int]]:
    return light_list.items(settings.light)


def _chosen(settings: LSRM_PG_relight_settings) -> int:
    return light_list.number_of(settings.light)


def _choose(settings: LSRM_PG_relight_settings, number: int) -> None:
    settings.light = light_list.items(settings.light)[number][0]


def _file(settings: LSRM_PG_relight_settings) -> str:
    return "" if settings.light in (SOFT_BOXES, *BUNDLED) else settings.light


def _choose_file(settings: LSRM_PG_relight_settings, path: str) -> None:
    settings.light = path or SOFT_BOXES


def _are_lamps_off(settings: LSRM_PG_relight_settings) -> bool:
    return relit_scene.are_lamps_off(settings.id_data)


def _switch_lamps(settings: LSRM_PG_relight_settings, off: bool) -> None:  # noqa: FBT001  RNA
    relit_scene.switch_lamps(settings.id_data, on=not off)


class LSRM_PG_relight_settings(bpy.types.PropertyGroup):
    """What lights the scene, and the pictures of objects under lights."""

    light: StringProperty(
        name="Light",
        description="The name of a light of Blender, or an equirectangular HDR image",
        subtype="FILE_PATH",
        default=SOFT_BOXES,
        update=_set_light,
    )
    thumbnail: EnumProperty(
        name="Light", description="What lights the scene", items=_items, get=_chosen, set=_choose
    )
    file: StringProperty(
        name="Image",
        description="An equirectangular HDR image that lights the scene; empty for other lights",
        subtype="FILE_PATH",
        get=_file,
        set=_choose_file,
    )
    folder: StringProperty(
        name="Folder",
        description="A folder with HDR images, to choose from as well",
        subtype="DIR_PATH",
        update=_read_folder,
    )
    strength: FloatProperty(
        name="Strength",
        description="Factor on the light",
        default=1.0,
        min=0.0,
        soft_max=10.0,
        update=_adjust,
    )
    rotation: FloatProperty(
        name="Rotation",
        description="About the vertical axis",
        subtype="ANGLE",
        soft_min=-math.pi,
        soft_max=math.pi,
        update=_adjust,
    )
    lamps_off: BoolProperty(
        name="Lamps Off",
        description="Switch the lamps of the scene off; they come back on with the same settings",
        get=_are_lamps_off,
        set=_switch_lamps,
    )

    turntable_output: EnumProperty(
        name="Turntable",
        description="What a turntable becomes",
        items=(
            ("FRAMES", "Frames", "A PNG file for every frame"),
            ("VIDEO", "Video", "A PNG file for every frame, and a video of them"),
        ),
        default="VIDEO",
    )
    frames: IntProperty(
        name="Frames", description="Of one turn; 24 last a second", default=48, min=2, soft_max=240
    )
    size: IntProperty(
        name="Size",
        description="Of the square images, in pixels",
        default=512,
        min=32,
        max=4096,
    )
    samples: IntProperty(
        name="Samples", description="Paths that Cycles traces per pixel", default=64, min=1
    )
    transparent: BoolProperty(
        name="Transparent", description="Leave out the background; a video always has one"
    )

    def environment(self, source: str = "") -> EnvironmentLight:
        """The chosen light, or another one, with strength and rotation of the settings."""
        source = source or self.light
        if Path(bpy.path.abspath(source)).is_file():
            source = bpy.path.abspath(source)
        return EnvironmentLight(source, self.strength, math.degrees(self.rotation))


CLASSES = (LSRM_PG_relight_settings,)


def attach() -> None:
    """Add the pointer to the scene, after the class is registered."""
    bpy.types.Scene.lsrm_relight = PointerProperty(type=LSRM_PG_relight_settings)
    light_list.attach()


def detach() -> None:
    """Remove the pointer, and the thumbnails."""
    light_list.detach()
    del bpy.types.Scene.lsrm_relight
