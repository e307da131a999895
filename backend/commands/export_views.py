# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `export-views`: posed views as a COLMAP model or a transforms.json."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..shared.exit_codes import DONE
from ..shared.names.view_formats import COLMAP, VIEW_FORMATS
from ..shared.progress import Progress
from ..shared.terminal import cancel_on_interrupt, say

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `export-views`."""
    parser.add_argument("views", type=Path, help="capture folder, transforms.json or COLMAP model")
    parser.add_argument("-o", "--output", type=Path, required=True, help="an empty or new folder")
    parser.add_argument(
        "--format",
        choices=VIEW_FORMATS,
        default=COLMAP,
        help="of the cameras: sparse/0 of COLMAP as text, or a transforms.json",
    )


def run(arguments: argparse.Namespace) -> dict[str, Any] | int:
    """Export; with `--json` the result says how many views, where, and the warnings."""
    from ..export_views import export_views
    from .progress_bar import progress_on_terminal

    progress = Progress(progress_on_terminal())
    with cancel_on_interrupt(progress):
        capture = export_views(arguments.views, arguments.output, arguments.format, progress)
    count = len(capture.frames)
    if arguments.json:
        folder = str(arguments.output)
        return {"views": count, "folder": folder, "warnings": list(capture.warnings)}
    for warning in capture.warnings:
        say(f"Note: {warning}")
    say(f"{arguments.output}: {count} views")
    return DONE
