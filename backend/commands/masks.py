# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `masks`: make the masks that a capture lacks, without a reconstruction."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..photographs.mask_source import MaskSource
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
    from .progress_bar import progress_on_terminal

    progress = Progress(progress_on_terminal())
    with cancel_on_interrupt(progress):
        source = MaskSource.from_options(arguments.mask_model, arguments.mask_backdrop)
        made = make(arguments.views, arguments.output, source, progress)
    if arguments.json:
        return made
    for note in made["notes"]:
        say(note)
    return DONE


def make(
    views: Path, output: Path | None, source: MaskSource, progress: Progress
) -> dict[str, Any]:
    """Make the masks that views lack, and store them.

    Args:
        views: capture folder or transforms.json.
        output: folder for the contact sheet, and for masks that the capture does not take; None is
            the capture folder.
        source: what makes them.
        progress: of the stage `masks`; may cancel.

    Returns:
        `made`, how many; `notes`; where some are made, their `folder` and a `contact_sheet`.

    Raises:
        LsrmError: as `add_missing_masks` raises.
    """
    from ..photographs.missing_masks import add_missing_masks, have_masks
    from ..shared.capture.reader import read_capture

    capture = read_capture(views)
    masked = have_masks(capture.frames)
    if all(masked):
        return {"made": 0, "notes": ["All views have masks or transparency."]}
    output = output or capture.folder
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_failure(output, error) from error
    completed = add_missing_masks(capture, masked, output, source, progress)
    return {
        "made": completed.made,
        "folder": str(completed.folder),
        "contact_sheet": str(completed.contact_sheet),
        "notes": list(completed.notes),
    }
