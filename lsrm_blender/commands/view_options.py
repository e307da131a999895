# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of commands that render: how many views, from where, how large, in what light."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...backend.shared.terminal import positive_integer
from ..capture_choices import PLACEMENTS, SCENE, SOFT_BOXES, SPHERE

if TYPE_CHECKING:
    import argparse

LIGHT_HELP = (
    f"what lights the asset (default: {SOFT_BOXES}, LSRM's neutral studio); {SCENE}: the world and "
    "lamps of its file"
)

PLACEMENT_HELP = "; ".join(f"{name}: {what}" for name, what in PLACEMENTS.items())


def add_view_options(command: argparse.ArgumentParser) -> None:
    """Add the options of views that are captured."""
    add = command.add_argument
    add("--views", type=positive_integer, default=16)
    add("--placement", choices=tuple(PLACEMENTS), default=SPHERE, help=PLACEMENT_HELP)
    add("--size", type=positive_integer, default=256, help="of the square images, in pixels")
    add("--environment", default=SOFT_BOXES, metavar="HDRI|NAME", help=LIGHT_HELP)


def add_rendering(command: argparse.ArgumentParser, samples: int) -> None:
    """Add the options of Cycles."""
    command.add_argument("--samples", type=positive_integer, default=samples)
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--threads", type=int, default=0, help="0 takes all")
