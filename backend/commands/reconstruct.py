# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `reconstruct`: posed views to a result folder, with progress on the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..request import UP_CHOICES
from ..shared.exit_codes import DONE
from ..shared.progress import Progress
from ..shared.terminal import (
    add_mask_edge_options,
    add_mask_options,
    add_reconstruct_options,
    cancel_on_interrupt,
    say,
)

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `reconstruct`."""
    parser.add_argument("views", type=Path, help="capture folder, or a transforms.json")
    parser.add_argument("-o", "--output", type=Path, required=True, help="result folder")
    add_reconstruct_options(parser)
    add_mask_options(parser)
    add_mask_edge_options(parser)
    parser.add_argument(
        "--up",
        choices=UP_CHOICES,
        default="auto",
        help="axis of the views' world that is up; auto follows the cameras",
    )
    parser.add_argument(
        "--fix-cameras",
        action="store_true",
        help="correct a usual mistake in the cameras, if that makes the masks fit",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the random choices of the fit")


def run(arguments: argparse.Namespace) -> dict[str, Any] | int:
    """Reconstruct; with `--json` the result is the report, else a line is printed."""
    from ..pipeline import reconstruct
    from ..request import ReconstructRequest
    from .progress_bar import progress_on_terminal

    options = {key: value for key, value in vars(arguments).items() if key != "json"}
    options["faces"], *lods = arguments.faces
    options["lods"] = tuple(lods)
    progress = Progress(progress_on_terminal())
    with cancel_on_interrupt(progress):
        report = reconstruct(ReconstructRequest(**options), progress).to_dict()
    for warning in report["warnings"]:
        say(f"Note: {warning}")
    if arguments.json:
        return report
    for level in report["levels"]:
        say(f"{arguments.output / level['file']}: {level['faces']} faces")
    say(f"in {report['seconds']:.1f} s")
    return DONE
