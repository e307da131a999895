# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `convert-checkpoint`: released weights to checkpoint folders of LSRM."""

from __future__ import annotations

import datetime as dt
import itertools
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..shared.checkpoint_folders import LICENSE_FILE, RELEASE_LICENSE, user_checkpoints
from ..shared.exit_codes import DONE, USAGE
from ..shared.terminal import print_json, say

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from torch import Tensor

    from ..model.release.checkpoint import ReleasedCheckpoint
    from ..model.weights.checkpoint import Checkpoint, StageName
    from ..shared.progress import Progress


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `convert-checkpoint`."""
    parser.add_argument("source", type=Path, help="the download, or its folder rgb or brdf")
    parser.add_argument(
        "destination",
        type=Path,
        nargs="?",
        help="a new folder (default: where --checkpoint lsrm-rgb or lsrm-pbr looks for it)",
    )
    parser.add_argument(
        "--accept-license",
        action="store_true",
        help="you have read the license of the weights and accept it",
    )


def run(arguments: argparse.Namespace) -> int:
    """Convert one checkpoint, or both of a download; 2 if the license is not accepted."""
    say(RELEASE_LICENSE)
    if not (arguments.accept_license or _accept_on_terminal()):
        say("Nothing was written. Accept the license with --accept-license, or by typing yes.")
        return USAGE
    checkpoints = [
        convert(folder, arguments.destination, several=folder != arguments.source)
        for folder in kind_folders(arguments.source)
    ]
    if arguments.json:
        print_json([describe(checkpoint) for checkpoint in checkpoints])
    return DONE


def _accept_on_terminal() -> bool:
    if not sys.stdin.isatty():
        return False
    say("Do you accept these licenses? Type yes:")
    return sys.stdin.readline().strip().lower() == "yes"


def kind_folders(source: Path) -> list[Path]:
    """The folders of the checkpoints in a download: its `rgb` and `brdf`, or the folder itself."""
    inside = [source / kind for kind in ("rgb", "brdf") if (source / kind).is_dir()]
    return inside or [source]


def convert(
    source: Path,
    destination: Path | None,
    *,
    several: bool = False,
    progress: Progress | None = None,
) -> Checkpoint:
    """Convert one released checkpoint.

    Args:
        source: folder with `dense/` and `sparse.pth`.
        destination: a new folder; None for the one where `find_checkpoint` looks for the name.
        several: whether the destination contains several checkpoints, each in a folder of its name.
        progress: of the stage `convert`; may cancel, and then nothing is left.

    Raises:
        CheckpointMissing: if a file of the source is missing.
        CheckpointMismatch: if a file is damaged, harmful or does not fit, with every difference.
        OutputNotWritable: if the destination is not empty.
        DiskFull: if the disk is full.
    """
    from ..model.release.checkpoint import read_release
    from ..model.weights.checkpoint import write_checkpoint

    release = read_release(source)
    name = release.config.name
    for stage_name, stage in release.stages.items():
        left = f"; left out: {', '.join(stage.left_out)}" if stage.left_out else ""
        say(f"{stage.path}: all {len(stage.tensors)} tensors of the {stage_name} stage{left}")
    folder = destination / name if destination and several else destination
    folder = folder or user_checkpoints() / name
    today = dt.datetime.now(dt.UTC).date()
    accepted = f"{RELEASE_LICENSE}\nAccepted on this computer on {today}.\n"
    tensors = release.tensors() if progress is None else _reported(release, progress)
    checkpoint = write_checkpoint(folder, release.config, tensors, notices={LICENSE_FILE: accepted})
    checkpoint.check()
    say(f"{folder} is {name}, ready to use.")
    return checkpoint


def _reported(
    release: ReleasedCheckpoint, progress: Progress
) -> dict[StageName, Iterator[tuple[str, Tensor]]]:
    """The tensors of a release, one by one, with a report before each."""
    total = sum(len(stage.tensors) for stage in release.stages.values())
    count = itertools.count()

    def watched(tensors: Iterator[tuple[str, Tensor]]) -> Iterator[tuple[str, Tensor]]:
        for name, tensor in tensors:
            progress.report("convert", next(count) / total, name)
            yield name, tensor

    return {name: watched(tensors) for name, tensors in release.tensors().items()}


def describe(checkpoint: Checkpoint) -> dict[str, Any]:
    """A converted checkpoint as JSON."""
    return {
        "name": checkpoint.config.name,
        "folder": str(checkpoint.folder),
        "sha256": checkpoint.fingerprint(),
    }
