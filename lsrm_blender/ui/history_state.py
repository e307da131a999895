# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What earlier jobs have made, as read from disk for the panel to draw."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import bpy
from bpy.app.handlers import persistent
from bpy.app.translations import pgettext_iface as translate
from bpy.props import CollectionProperty, IntProperty, PointerProperty, StringProperty

from ...backend.shared.checkpoint_folders import NONE
from .. import preferences
from ..jobs.history import read_history
from ..jobs.job_folders import RESULT
from ..scene.results.originals import RESULT_FOLDER, results_in
from . import session_timer
from .thumbnails import Thumbnails

if TYPE_CHECKING:
    from ..jobs.history import Entry

REFINE_OFF, AUTOMATIC = "off", "auto"
FIRST_LOOK = 0.5
"""Seconds after the registration: files are read then, not before."""

_thumbnails = Thumbnails()


class LSRM_PG_history_entry(bpy.types.PropertyGroup):
    """What one job has made; its `name` is that of the asset, its settings are JSON."""

    number: StringProperty()
    folder: StringProperty()
    result: StringProperty()
    views: StringProperty()
    date: StringProperty()
    settings: StringProperty()
    score: StringProperty()
    icon: IntProperty()
    levels: StringProperty()
    quads: StringProperty()

    def show(self, entry: Entry) -> None:
        """Store what is known of a job."""
        self.name, self.number, self.folder = entry.name, entry.folder.name, str(entry.folder)
        self.result, self.views = str(entry.result or ""), str(entry.views or "")
        self.date = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.made))
        self.settings = json.dumps(entry.settings)
        self.score = "" if entry.score is None else f"PSNR {entry.score:.1f} dB"
        self.icon = _icon(entry)
        self.levels = " ".join(map(str, entry.levels))
        self.quads = str(entry.quads or "")

    def description(self) -> str:
        """The settings in a line, in the language that Blender has now."""
        return _describe(json.loads(self.settings))


class LSRM_PG_history(bpy.types.PropertyGroup):
    """The latest jobs of the folder of the open file, and of results in the scene."""

    entries: CollectionProperty(type=LSRM_PG_history_entry)
    active: IntProperty()

    def read(self, scene: bpy.types.Scene) -> None:
        """Read the folders of the jobs again; the same entry stays active, or a new one is."""
        chosen, before = self.chosen(), {each.folder for each in self.entries}
        folder = chosen.folder if chosen is not None else ""
        known = {made.get(RESULT_FOLDER, "") for made in results_in(scene)}
        elsewhere = sorted(Path(each).parent for each in known if Path(each).name == RESULT)
        self.entries.clear()
        for entry in read_history(preferences.work_folder(scene), elsewhere):
            self.entries.add().show(entry)
        folders = [each.folder for each in self.entries]
        is_new = bool(folders) and folders[0] not in before
        self.active = folders.index(folder) if folder in folders and not is_new else 0

    def chosen(self) -> LSRM_PG_history_entry | None:
        """The active entry; None if there is none."""
        return self.entries[self.active] if 0 <= self.active < len(self.entries) else None


def _describe(settings: dict[str, str]) -> str:
    """The settings of a job in a line."""
    parts = []
    if {"view_count", "size"} <= set(settings):
        parts.append(
            translate("{} views of {} px").format(settings["view_count"], settings["size"])
        )
    if checkpoint := settings.get("checkpoint"):
        parts.append(translate("no weights") if checkpoint == NONE else Path(checkpoint).name)
    if refine := settings.get("refine"):
        parts.append(translate("not refined") if refine == REFINE_OFF else translate("refined"))
    if faces := settings.get("faces"):
        parts.append(translate("{} faces").format(faces))
    texture = settings.get("texture_size", AUTOMATIC)
    if texture != AUTOMATIC:
        parts.append(translate("{} px texture").format(texture))
    return ", ".join(parts)


def refresh() -> None:
    """Read the history of the open file again."""
    manager = bpy.context.window_manager
    if manager is not None and hasattr(manager, "lsrm_history"):
        manager.lsrm_history.read(bpy.context.scene)


def _refresh_for_file(*_: object) -> None:
    """Another file was opened, which knows nothing of the session, or the open one was saved."""
    if not bpy.app.background:
        session_timer.show()
        refresh()


def _icon(entry: Entry) -> int:
    """The icon of the picture of a job, which Blender loads when it is drawn; 0 if it has none."""
    try:
        picture = entry.preview
        if picture is None:
            return 0
        key = f"{picture} {picture.stat().st_mtime}"
    except OSError:  # removed meanwhile
        return 0
    return _thumbnails.of_file(picture, key)


CLASSES = (LSRM_PG_history_entry, LSRM_PG_history)


def attach() -> None:
    """Add the pointer to the window manager, after the classes are registered."""
    bpy.types.WindowManager.lsrm_history = PointerProperty(type=LSRM_PG_history)
    bpy.app.handlers.load_post.append(persistent(_refresh_for_file))
    bpy.app.handlers.save_post.append(persistent(_refresh_for_file))
    bpy.app.timers.register(refresh, first_interval=FIRST_LOOK)


def detach() -> None:
    """Remove the pointer and the pictures."""
    if bpy.app.timers.is_registered(refresh):
        bpy.app.timers.unregister(refresh)
    bpy.app.handlers.save_post.remove(_refresh_for_file)
    bpy.app.handlers.load_post.remove(_refresh_for_file)
    del bpy.types.WindowManager.lsrm_history
    _thumbnails.clear()
