# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The preview of the running task: its picture for the panel, its object in the scene."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import bpy
from bpy.app.handlers import persistent
from bpy.props import PointerProperty, StringProperty

from ....backend.shared.capture.json_files import read_capture_json
from ....backend.shared.errors import LsrmError
from ....backend.shared.live.preview_files import PreviewMesh
from ...scene.live.live_object import remove_live_object, show_live_object
from ...scene.results.result_files import Result
from .. import pictures, session_timer
from ..import_steps import SceneReference
from ..panel import LIVE_PICTURE

if TYPE_CHECKING:
    from ...jobs.task import Preview

LOGGER = logging.getLogger(__name__)


class LSRM_PG_live(bpy.types.PropertyGroup):
    """Which preview is shown; not saved in the file."""

    shown: StringProperty()

    def show(self, preview: Preview | None) -> None:
        """Show a preview, unless it is shown already; without one, remove the last."""
        if _name_of(preview) == self.shown:
            return
        if preview:
            pictures.load(LIVE_PICTURE, preview.files.picture)
        else:
            pictures.unload(LIVE_PICTURE)
        self._show_object(preview)

    def refresh(self) -> None:
        """Show the object of the present preview anew, or remove it, whatever was there."""
        self._show_object(session_timer.SESSION.state.preview)

    def _show_object(self, preview: Preview | None) -> None:
        """Show the object of a preview if the user wants it and its scene is there; else none."""
        self.shown = _name_of(preview)  # a file that is opened resets it
        try:
            _replace_object(preview)
        except LsrmError as error:
            LOGGER.warning("%s", error)
        except Exception:
            LOGGER.exception("The preview cannot be shown")  # the job goes on without it


def _name_of(preview: Preview | None) -> str:
    return str(preview.files.mesh) if preview else ""


def _replace_object(preview: Preview | None) -> None:
    """Remove the object of the last preview, and make that of the present one.

    Raises:
        LsrmError: if the preview or the capture cannot be read.
    """
    remove_live_object()
    reference = preview.step.preview_in if preview else None
    if preview is None or not isinstance(reference, SceneReference):
        return
    scene = reference.find()
    if scene is None or not scene.lsrm.live_preview:
        return
    mesh, views = preview.files.mesh, Path(preview.step.params["views"])
    capture = read_capture_json(views if views.is_dir() else views.parent)
    result = Result(mesh, {}, capture).renamed(reference.present_names())
    show_live_object(PreviewMesh.read(mesh), result, scene)


def _refresh(_file: str | None) -> None:
    bpy.context.window_manager.lsrm_live.refresh()


def _remove(_file: str | None) -> None:
    remove_live_object()


_HANDLERS = {
    "save_pre": persistent(_remove),
    **dict.fromkeys(
        ("save_post", "save_post_fail", "load_post", "undo_post", "redo_post"),
        persistent(_refresh),
    ),
}
"""Files hold no preview; undo, and a file that is opened, have one of another time, or none."""


CLASSES = (LSRM_PG_live,)


def attach() -> None:
    """Add the pointer to the window manager, after the class is registered, and the handlers."""
    bpy.types.WindowManager.lsrm_live = PointerProperty(type=LSRM_PG_live)
    for name, handler in _HANDLERS.items():
        getattr(bpy.app.handlers, name).append(handler)


def detach() -> None:
    """Remove handlers, pointer, picture and object."""
    for name, handler in _HANDLERS.items():
        getattr(bpy.app.handlers, name).remove(handler)
    del bpy.types.WindowManager.lsrm_live
    pictures.unload(LIVE_PICTURE)
    remove_live_object()
