# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mouse, keyboard and eyes in a Blender that was started with `--enable-event-simulate`."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import bpy

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    Steps = Generator[float, None, None]
    """Yields the seconds in which Blender goes on."""

MOMENT, REDRAW = 0.08, 0.6
"""Seconds that Blender takes for an event, and for drawing all areas."""

STEP = 14
"""Pixels between two places of the mouse when a button is looked for; buttons are 20 high."""

LEFT, MIDDLE, EDGE = 0.3, 0.5, 0.83
"""Where in the sidebar a button is, from its left side."""

CATEGORY = "LSRM"


class ButtonMissing(Exception):
    """A button that should be in the sidebar is not there."""


@dataclass
class Window:
    """The main window.

    Attributes:
        pictures: the folder of the screenshots.
        framebuffer: the file that the virtual display is drawn in.
    """

    pictures: Path
    framebuffer: Path

    @property
    def window(self) -> bpy.types.Window:
        """Blender's first window, which is another object after a file was opened."""
        return bpy.context.window_manager.windows[0]

    @property
    def viewport(self) -> bpy.types.Area:
        """The 3D view."""
        return next(area for area in self.window.screen.areas if area.type == "VIEW_3D")

    def region(self, kind: str) -> bpy.types.Region:
        """A region of the 3D view."""
        return next(region for region in self.viewport.regions if region.type == kind)

    def context(self, kind: str = "WINDOW") -> Any:
        """The context of a mouse over the 3D view, or over its sidebar ("UI")."""
        return bpy.context.temp_override(
            window=self.window, screen=self.window.screen, area=self.viewport,
            region=self.region(kind),
        )  # fmt: skip

    def show_panel(self) -> Steps:
        """Open the sidebar at the tab of LSRM."""
        self.viewport.spaces.active.show_region_ui = True
        yield REDRAW
        self.region("UI").active_panel_category = CATEGORY
        yield REDRAW

    def send(self, kind: str, value: str, x: int, y: int, text: str = "") -> None:
        """Simulate an event at a place of the window."""
        self.window.event_simulate(type=kind, value=value, unicode=text or None, x=x, y=y)

    def type_search(self, text: str) -> Steps:
        """Find an operator by Blender's search, and run it, with the keyboard."""
        region = self.region("WINDOW")
        x, y = region.x + region.width // 3, region.y + region.height // 2
        self.send("MOUSEMOVE", "NOTHING", x, y)
        yield MOMENT
        yield from self._press("F3", x, y)
        yield REDRAW
        for character in text:
            key = "SPACE" if character == " " else character.upper()
            yield from self._press(key, x, y, character)
        yield REDRAW
        yield from self._press("RET", x, y)
        yield REDRAW

    def click(self, command: str, across: float = MIDDLE) -> Steps:
        """Look for a button of the sidebar from the top, and click it.

        Args:
            command: of the button, as Blender prints it, or its beginning.
            across: where in the sidebar to look.

        Raises:
            ButtonMissing: if there is none.
        """
        region = self.region("UI")
        x = region.x + round(across * region.width)
        for y in range(region.y + region.height - STEP, region.y, -STEP):
            self.send("MOUSEMOVE", "NOTHING", x, y)
            yield MOMENT
            if self._command_under_mouse().startswith(f"bpy.ops.{command}"):
                self.send("LEFTMOUSE", "PRESS", x, y)
                yield MOMENT
                self.send("LEFTMOUSE", "RELEASE", x, y)
                yield 2 * MOMENT
                self.leave(x)
                yield MOMENT
                return
        raise ButtonMissing(f"There is no button {command} in the sidebar.")

    def rest(self) -> Steps:
        """Move the mouse to the middle of the window."""
        self.send("MOUSEMOVE", "NOTHING", self.window.width // 2, self.window.height // 2)
        yield 2 * MOMENT

    def leave(self, x: int) -> None:
        """Move the mouse to the top of the window, where it shows no hint."""
        self.send("MOUSEMOVE", "NOTHING", x, self.window.height - 2)

    def picture(self, name: str) -> Steps:
        """Take a screenshot of the whole display, by copying the memory that it is drawn in."""
        for shown in bpy.context.window_manager.windows:
            for area in shown.screen.areas:
                area.tag_redraw()
        yield REDRAW
        shutil.copyfile(self.framebuffer, self.pictures / f"{name}.xwd")

    def sidebar(self) -> list[int]:
        """Left, upper, right and lower side of the sidebar in a screenshot, in pixels."""
        region = self.region("UI")
        top = self.window.height - region.y - region.height
        return [region.x, top, region.x + region.width, top + region.height]

    def _press(self, key: str, x: int, y: int, text: str = "") -> Steps:
        self.send(key, "PRESS", x, y, text)
        yield MOMENT
        self.send(key, "RELEASE", x, y)
        yield MOMENT

    def _command_under_mouse(self) -> str:
        """What the button under the mouse runs; empty if there is none."""
        manager = bpy.context.window_manager
        manager.clipboard = ""
        with self.context("UI"):
            if not bpy.ops.ui.copy_python_command_button.poll():
                return ""
            try:
                bpy.ops.ui.copy_python_command_button()
            except RuntimeError:
                return ""
        return str(manager.clipboard)
