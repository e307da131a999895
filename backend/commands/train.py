# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `train`: a training from its configuration to a checkpoint, or what it would take."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..shared.errors import BadRequest
from ..shared.exit_codes import DONE
from ..shared.progress import Progress
from ..shared.terminal import cancel_on_interrupt, positive_integer, say

if TYPE_CHECKING:
    import argparse

    from ..training.settings.config import TrainingConfig


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `train`."""
    parser.add_argument(
        "config",
        metavar="CONFIG",
        help="a TOML file, or paper, tiny or overfit, which are built in",
    )
    parser.add_argument(
        "-o", "--output", type=Path, help="folder of the training; one that was stopped goes on"
    )
    parser.add_argument(
        "--device", default="auto", help="auto, cpu, cuda, cuda:1; several: cuda:all, cpu:0,1"
    )
    parser.add_argument(
        "--captures", type=Path, nargs="+", metavar="VIEWS", help="train on these capture folders"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="print tokens, memory, traffic and days, modelled"
    )
    parser.add_argument(
        "--gpus", type=positive_integer, default=128, help="of the dry run; 128 by default"
    )


def run(arguments: argparse.Namespace) -> dict[str, Any] | int:
    """Train; with `--json` the result names the folder of the checkpoint."""
    from ..training.log import read_novel_views
    from ..training.settings.config import read_config

    config = read_config(arguments.config)
    if arguments.captures:
        folders = tuple(str(folder) for folder in arguments.captures)
        captures = replace(config.data, kind="captures", folders=folders)
        phases = tuple(replace(phase, data=None) for phase in config.phases)
        config = replace(config, data=captures, phases=phases)
    if arguments.dry_run:
        return _dry_run(config, arguments)
    if arguments.output is None:
        raise BadRequest("There is no folder to train in.", "Give one: -o FOLDER.")
    folder = _train(config, arguments)
    found = {phase.name: read_novel_views(arguments.output / phase.name) for phase in config.phases}
    judged = {phase: decibels for phase, decibels in found.items() if decibels is not None}
    if arguments.json:
        return {"checkpoint": str(folder), "novel_views": judged}
    for phase, decibels in judged.items():
        say(f"{phase}: {decibels:.1f} dB in views that were held out")
    say(f"{folder}: a checkpoint for `reconstruct --checkpoint`")
    return DONE


def _dry_run(config: TrainingConfig, arguments: argparse.Namespace) -> dict[str, Any] | int:
    from ..training.dry_run.report import as_json, as_text, dry_run

    try:
        found = dry_run(config, arguments.gpus)
    except ValueError as error:
        raise BadRequest(f"{error}.", "Give another --gpus.") from error
    if arguments.json:
        return as_json(config, found, arguments.gpus)
    say(as_text(config, found, arguments.gpus))
    return DONE


def _train(config: TrainingConfig, arguments: argparse.Namespace) -> Path:
    from ..setup.device import choose_devices
    from ..training.launch import Launch
    from .progress_bar import progress_on_terminal

    progress = Progress(progress_on_terminal())
    with cancel_on_interrupt(progress):
        launch = Launch(config, arguments.output.resolve())
        return launch.on(choose_devices(arguments.device), progress)
