# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `masks`: make the masks that a capture lacks, without a reconstruction."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..shared.errors import write_failure
from ..shared.exit_codes import DONE
from ..shared.progress import Progress
from ..shared.terminal import add_mask_options, cancel_on_interrupt, say

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `masks`."""
    parser.add_argument("views", type=Path, help="capture folder, or a transforms.json")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        help="folder for the contact sheet masks.png, and for masks that the capture does not "
        "take; default: the capture folder",
    )
    add_mask_options(parser)


def run(arguments: argparse.Namespace) -> dict[str, Any] | int:
    """Make masks; with `--json` the result says how many, where, and which are doubtful."""
    from ..photographs.missing_masks import add_missing_masks, have_masks
    from ..shared.capture.reader import read_capture
    from .progress_bar import progress_on_terminal

    progress = Progress(progress_on_terminal())
    with cancel_on_interrupt(progress):
        capture = read_capture(arguments.views)
        masked = have_masks(capture.frames)
        if all(masked):
            return _answer(
                {"made": 0, "notes": ["All views have masks or transparency."]}, arguments
            )
        output = arguments.output or capture.folder
        try:
            output.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise write_failure(output, error) from error
        model = Path(arguments.mask_model) if arguments.mask_model else None
        completed = add_missing_masks(capture, masked, output, model, progress)
    result = {
        "made": completed.made,
        "folder": str(completed.folder),
        "contact_sheet": str(completed.contact_sheet),
        "notes": list(completed.notes),
    }
    return _answer(result, arguments)


def _answer(result: dict[str, Any], arguments: argparse.Namespace) -> dict[str, Any] | int:
    """The result for `--json`; else its notes are printed."""
    if arguments.json:
        return result
    for note in result["notes"]:
        say(note)
    return DONE
