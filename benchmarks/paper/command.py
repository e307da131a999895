# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `benchmark`: the paper's protocols on its data sets, or on captures of your own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.shared.atomic_folder import write_file_atomically
from backend.shared.capture.json_files import write_object
from backend.shared.errors import write_failure
from backend.shared.exit_codes import DONE, FAILED
from backend.shared.progress import Progress
from backend.shared.terminal import (
    add_mask_options,
    add_reconstruct_options,
    cancel_on_interrupt,
    positive_integer,
    print_json,
    say,
)

from .protocols import PROTOCOLS

if TYPE_CHECKING:
    import argparse

    from .settings import Settings

NAME = "benchmark"
"""Of the files in the output folder: the table as Markdown, and everything as JSON."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `benchmark`."""
    add = parser.add_argument
    add("protocol", choices=tuple(PROTOCOLS), help="novel-views and relighting take captures")
    add("data", type=Path, help="folder of the data set; each object has a folder")
    add("-o", "--output", type=Path, required=True, help="a run that was stopped goes on there")
    add("--views", type=positive_integer, help="input views; default: as in the paper, 16 or 18")
    add("--layout", default="", help="of the folders of the data; default: the protocol's")
    add("--only", nargs="+", default=[], metavar="NAME", help="these objects")
    add("--samples", type=positive_integer, default=32, help="of the renders, paths per pixel")
    add(
        "--lpips-weights",
        default="",
        metavar="FILE.safetensors",
        help="VGG-16 and the five layers of LPIPS; without it LPIPS is left out",
    )
    add_reconstruct_options(parser)
    add_mask_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Evaluate, write and print the table; 1 if an object failed."""
    from backend.commands.progress_bar import progress_on_terminal

    from .run import evaluate_all
    from .table import document, table_text

    settings = _settings(arguments)
    progress = Progress(progress_on_terminal())
    with cancel_on_interrupt(progress):
        outcome = evaluate_all(settings, progress)
    found = document(settings, outcome)
    text = table_text(found, settings.protocol.columns)
    _write(settings.output, text, found)
    if arguments.json:
        print_json(found)
    else:
        say(text)
    return FAILED if outcome["failed"] else DONE


def _settings(arguments: argparse.Namespace) -> Settings:
    """The arguments as settings; those of `reconstruct` keep their names."""
    from .settings import Settings

    faces, *lods = arguments.faces
    same = ("checkpoint", "refine", "device", "texture_size", "material")
    masks = ("mask_model", "mask_backdrop")
    return Settings(
        name=arguments.protocol,
        data=arguments.data,
        output=arguments.output,
        layout_name=arguments.layout,
        views=arguments.views,
        samples=arguments.samples,
        lpips_weights=arguments.lpips_weights,
        only=tuple(arguments.only),
        reconstruct={
            **{name: getattr(arguments, name) for name in (*same, *masks)},
            "faces": faces,
            "lods": tuple(lods),
        },
    )


def _write(folder: Path, text: str, document: dict[str, Any]) -> None:
    """Write the table and the document.

    Raises:
        OutputNotWritable, DiskFull: if they cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_file_atomically(folder / f"{NAME}.md", (text + "\n").encode())
        write_object(folder / f"{NAME}.json", document)
    except OSError as error:
        raise write_failure(folder, error) from error
