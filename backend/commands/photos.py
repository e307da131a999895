# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `photos`: photographs without cameras to a capture folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..shared.exit_codes import DONE
from ..shared.progress import Progress
from ..shared.terminal import cancel_on_interrupt, say

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `photos`."""
    parser.add_argument("photos", type=Path, help="folder of photographs of one object")
    parser.add_argument("-o", "--output", type=Path, required=True, help="capture folder")


def run(arguments: argparse.Namespace) -> dict[str, Any] | int:
    """Find the cameras; with `--json` the result is what capture.json says."""
    from ..photographs.posed_folder import pose_photographs
    from ..shared.capture.json_files import read_capture_json
    from .progress_bar import progress_on_terminal

    progress = Progress(progress_on_terminal())
    with cancel_on_interrupt(progress):
        posed, warnings = pose_photographs(arguments.photos, arguments.output, progress)
    for warning in warnings:
        say(f"Note: {warning}")
    if arguments.json:
        return read_capture_json(arguments.output)
    say(f"{arguments.output}: {posed} photographs with cameras")
    return DONE
