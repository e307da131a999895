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

LEFT, MIDDLE, RIGHT, EDGE = 0.3, 0.5, 0.72, 0.83
"""Where in the sidebar a button is, from its left side."""

CATEGORY = "LSRM"


MOST_PAGES = 4
"""Heights of a region by which it is scrolled to find a button."""


class ButtonMissing(Exception):
    """A button that should be in a region is not there."""


@dataclass(frozen=True)
class Pane:
    """A region of a window, in which buttons are looked for.

    Attributes:
        window: that shows it.
        area: of the region.
        region: itself.
    """

    window: bpy.types.Window
    area: bpy.types.Area
    region: bpy.types.Region

    @classmethod
    def of(cls, area_type: str, region_type: str) -> Pane:
        """The first region of some kind in the newest window that has one."""
        windows = bpy.context.window_manager.windows
        return next(
            cls(window, area, region)
            for window in reversed(windows)
            for area in window.screen.areas
            if area.type == area_type
            for region in area.regions
            if region.type == region_type
        )

    def context(self) -> Any:
        """The context of a mouse over the region."""
        # Not with a screen: that of the preferences is temporary, which is refused.
        return bpy.context.temp_override(window=self.window, area=self.area, region=self.region)

    def send(self, kind: str, value: str, x: int, y: int, text: str = "") -> None:
        """Simulate an event at a point of the window."""
        self.window.event_simulate(type=kind, value=value, unicode=text or None, x=x, y=y)

    def move(self, x: int, y: int) -> Steps:
        """Move the mouse."""
        self.send("MOUSEMOVE", "NOTHING", x, y)
        yield MOMENT

    def press(self, key: str, x: int, y: int, text: str = "") -> Steps:
        """Press and release a key or a button of the mouse."""
        self.send(key, "PRESS", x, y, text)
        yield MOMENT
        self.send(key, "RELEASE", x, y)
        yield MOMENT

    def scroll_down(self) -> Steps:
        """Scroll down by the height of the region."""
        with self.context():
            bpy.ops.view2d.scroll_down(page=True)
        yield REDRAW

    def scroll_to_top(self) -> Steps:
        """Scroll up to the first button."""
        with self.context():
            for _ in range(MOST_PAGES):
                bpy.ops.view2d.scroll_up(page=True)
        yield REDRAW

    def command_under_mouse(self) -> str:
        """What the button under the mouse runs; empty if there is none."""
        manager = bpy.context.window_manager
        manager.clipboard = ""
        with self.context():
            if not bpy.ops.ui.copy_python_command_button.poll():
                return ""
            try:
                bpy.ops.ui.copy_python_command_button()
            except RuntimeError:
                return ""
        return str(manager.clipboard)


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
    def view(self) -> Pane:
        """The 3D view."""
        return Pane.of("VIEW_3D", "WINDOW")

    @property
    def side(self) -> Pane:
        """The sidebar of the 3D view."""
        return Pane.of("VIEW_3D", "UI")

    def show_panel(self) -> Steps:
        """Open the sidebar at the tab of LSRM."""
        self.view.area.spaces.active.show_region_ui = True
        yield REDRAW
        self.side.region.active_panel_category = CATEGORY
        yield REDRAW

    def type_search(self, text: str) -> Steps:
        """Find an operator by Blender's search, and run it, with the keyboard."""
        view = self.view
        x, y = view.region.x + view.region.width // 3, view.region.y + view.region.height // 2
        yield from view.move(x, y)
        yield from view.press("F3", x, y)
        yield REDRAW
        for character in text:
            key = "SPACE" if character == " " else character.upper()
            yield from view.press(key, x, y, character)
        yield REDRAW
        yield from view.press("RET", x, y)
        yield REDRAW

    def click(self, command: str, across: float = MIDDLE, pane: Pane | None = None) -> Steps:
        """Click a button as `press` does, and move the mouse to where it shows no hint."""
        pane = pane or self.side
        yield from self.press(command, across, pane)
        yield from pane.move(pane.region.x, pane.window.height - 2)

    def press(self, command: str, across: float, pane: Pane) -> Steps:
        """Look for a button from the top of a region, and click it.

        Args:
            command: of the button, as Blender prints it, or its beginning.
            across: where in the region to look, from its left side.
            pane: with the button.

        Raises:
            ButtonMissing: if there is none.
        """
        for page in range(MOST_PAGES):
            if (yield from _click_visible(pane, command, across)):
                return
            yield from pane.scroll_down() if page else pane.scroll_to_top()
        raise ButtonMissing(f"There is no button {command}.")

    def rest(self) -> Steps:
        """Move the mouse to the middle of the window."""
        yield from self.view.move(self.window.width // 2, self.window.height // 2)
        yield MOMENT

    def picture(self, name: str) -> Steps:
        """Take a screenshot of the whole display, by copying the memory that it is drawn in."""
        for shown in bpy.context.window_manager.windows:
            for area in shown.screen.areas:
                area.tag_redraw()
        yield REDRAW
        shutil.copyfile(self.framebuffer, self.pictures / f"{name}.xwd")

    def sidebar(self) -> list[int]:
        """Left, upper, right and lower side of the sidebar in a screenshot, in pixels."""
        region = self.side.region
        top = self.window.height - region.y - region.height
        return [region.x, top, region.x + region.width, top + region.height]


def _click_visible(pane: Pane, command: str, across: float) -> Generator[float, None, bool]:
    """Click a button in the visible part of a region; returns whether it is there."""
    region = pane.region
    x = region.x + round(across * region.width)
    for y in range(region.y + region.height - STEP, region.y, -STEP):
        yield from pane.move(x, y)
        if pane.command_under_mouse().startswith(f"bpy.ops.{command}"):
            # The button of the last click may still be active, wherever the mouse is.
            yield from pane.move(x + 1, y)
            if not pane.command_under_mouse().startswith(f"bpy.ops.{command}"):
                continue
            yield from pane.press("LEFTMOUSE", x + 1, y)
            yield MOMENT
            return True
    return False
