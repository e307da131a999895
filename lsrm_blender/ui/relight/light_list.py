# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lights to choose from, with thumbnails, as read from disk for the panel to draw."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import bpy
import numpy as np
from bpy.app.handlers import persistent
from bpy.app.translations import pgettext_iface as translate

from ...capture_choices import BUNDLED, SOFT_BOXES
from ...scene.lighting import bundled_file, hdr_images
from ...scene.pixels import to_srgb
from ...scene.soft_boxes import soft_box_panorama
from ..thumbnails import Thumbnails

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

MOST_IMAGES = 64
"""Of a folder, by name."""

THUMBNAIL_HEIGHT = 64
FIRST_LOOK = 0.5
"""Seconds after the registration: files are read then, not before."""


@dataclass(frozen=True)
class ListedLight:
    """A light to choose.

    Attributes:
        source: as `EnvironmentLight` takes it.
        label: what it is called.
        icon: of its thumbnail, which Blender loads when it is drawn; 0 if it has none.
        own: whether it lies in the folder of the user.
    """

    source: str
    label: str
    icon: int = 0
    own: bool = False


_lights: list[ListedLight] = []
_thumbnails = Thumbnails()
_items: list[tuple[str, str, str, int, int]] = []
"""Of the property, which needs a reference to their texts."""


def lights() -> tuple[ListedLight, ...]:
    """The lights as they were read last."""
    return tuple(_lights)


def read(folder: str) -> None:
    """List LSRM's own light, those of Blender, and those of a folder, if one is chosen.

    Args:
        folder: as the user has chosen it; empty for none.
    """
    soft_boxes = _thumbnails.of_pixels(SOFT_BOXES, _soft_box_picture)
    _lights[:] = [ListedLight(SOFT_BOXES, "Soft Boxes", soft_boxes)]
    _lights.extend(_blenders_lights())
    images = hdr_images(Path(bpy.path.abspath(folder))) if folder else []
    _lights.extend(
        ListedLight(str(path), path.stem, _thumbnails.of_file(path), own=True)
        for path in images[:MOST_IMAGES]
    )


def items(current: str) -> list[tuple[str, str, str, int, int]]:
    """The items of a property: all lights, and the current one if it is none of them.

    Args:
        current: the source of the light that is chosen.
    """
    shown = _with_current(current)
    made = [
        (light.source, translate(light.label), "", light.icon, number)
        for number, light in enumerate(shown)
    ]
    if made != _items:
        _items[:] = made
    return _items


def number_of(current: str) -> int:
    """The number of the item of a light."""
    return [light.source for light in _with_current(current)].index(current)


def for_contact_sheet() -> tuple[str, ...]:
    """The lights of a contact sheet: those of the folder of the user, else all."""
    own = tuple(light.source for light in _lights if light.own)
    return own or tuple(light.source for light in _lights)


def refresh() -> None:
    """Read the lights for the open scene."""
    scene = bpy.context.scene
    if scene is not None and hasattr(scene, "lsrm_relight"):
        read(scene.lsrm_relight.folder)


def _with_current(current: str) -> list[ListedLight]:
    if any(light.source == current for light in _lights):
        return _lights
    return [*_lights, ListedLight(current, Path(current).stem)]


def _blenders_lights() -> Iterator[ListedLight]:
    """The lights that come with Blender, then those that the user has added to it."""
    for name in BUNDLED:
        if path := bundled_file(name):
            yield ListedLight(name, name.capitalize(), _thumbnails.of_file(path))
    for light in bpy.context.preferences.studio_lights:
        if light.type == "WORLD" and light.is_user_defined:
            yield ListedLight(
                light.path, Path(light.name).stem, _thumbnails.of_file(Path(light.path))
            )


def _soft_box_picture() -> NDArray[np.float32]:
    pixels = np.ones((THUMBNAIL_HEIGHT, 2 * THUMBNAIL_HEIGHT, 4), np.float32)
    pixels[..., :3] = to_srgb(soft_box_panorama(THUMBNAIL_HEIGHT)[::-1])
    return pixels


def _refresh_for_file(*_: object) -> None:
    """Another file was opened."""
    if not bpy.app.background:
        refresh()


def attach() -> None:
    """Read the lights soon, and for every file that is opened."""
    bpy.app.handlers.load_post.append(persistent(_refresh_for_file))
    bpy.app.timers.register(refresh, first_interval=FIRST_LOOK)


def detach() -> None:
    """Forget the lights, and remove their thumbnails."""
    if bpy.app.timers.is_registered(refresh):
        bpy.app.timers.unregister(refresh)
    bpy.app.handlers.load_post.remove(_refresh_for_file)
    _lights.clear()
    _thumbnails.clear()
