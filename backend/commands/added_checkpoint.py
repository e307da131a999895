# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A downloaded checkpoint made usable by name, with the image features that it needs."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from ..shared.checkpoint_folders import find_dinov3, user_checkpoints
from ..shared.errors import CheckpointMissing
from .convert_checkpoint import convert, kind_folders

if TYPE_CHECKING:
    from pathlib import Path

    from ..shared.progress import Progress

PIECE = 1 << 24
"""Bytes that are copied between two reports."""


def add(release: Path, dinov3: Path | None, progress: Progress) -> list[str]:
    """Convert the checkpoints of a download, and copy the image features beside them.

    All files are read first: a wrong one is refused before anything is written.

    Args:
        release: the download, its folder rgb or brdf, or a file of it.
        dinov3: a `.pth` file, or a folder in the layout of `transformers`; None if installed.
        progress: of the stages `features` and `convert`; may cancel.

    Returns:
        The names of the checkpoints.

    Raises:
        CheckpointMissing: if a file is, the image features included.
        CheckpointMismatch: if a file is damaged, harmful or not what the model needs.
        OutputNotWritable: if such a checkpoint exists already.
        DiskFull: if there is no room.
        Cancelled: if it was cancelled; then only what was complete is left.
    """
    from ..model.release.checkpoint import read_release
    from ..model.weights.dinov3_files import load_dinov3

    folders = kind_folders(_download_of(release))
    configs = [read_release(folder).config for folder in folders]
    if dinov3 is not None:
        progress.report("features", 0.0, dinov3.name)
        widths = {config.dense.encoder.feature_width for config in configs} - {0}
        load_dinov3(dinov3, next(iter(widths), None))
        _copy_features(dinov3, progress)
    elif any(config.image_features == "dinov3" for config in configs):
        find_dinov3()
    names = []
    for folder in folders:
        checkpoint = convert(folder, None, progress=progress)
        names.append(checkpoint.config.name)
    progress.report("convert", 1.0)
    return names


def _download_of(chosen: Path) -> Path:
    """The folder of a download from what was chosen: it, or a file at any depth in it.

    Raises:
        CheckpointMissing: if there is nothing.
    """
    if not chosen.exists():
        raise CheckpointMissing(f"There is no {chosen}.", "Choose the folder of the download.")
    if chosen.is_dir() and chosen.name != "dense":
        return chosen
    above = (each for each in chosen.parents if (each / "sparse.pth").is_file())
    return next(above, chosen.parent)


def _copy_features(source: Path, progress: Progress) -> None:
    """Copy a file or folder to where `find_dinov3` looks; nothing if it is there.

    Raises:
        OSError: if it cannot be written.
    """
    name = source.name if source.name.startswith("dinov3") else f"dinov3-{source.name}"
    destination = user_checkpoints() / name
    if destination.exists():
        return
    files = sorted(source.iterdir()) if source.is_dir() else [source]
    partial = destination.with_name(f".{name}.partial")
    total, done = sum(file.stat().st_size for file in files) or 1, 0
    (partial if source.is_dir() else partial.parent).mkdir(parents=True, exist_ok=True)
    try:
        for file in files:
            target = partial / file.name if source.is_dir() else partial
            with file.open("rb") as read, target.open("wb") as written:
                while piece := read.read(PIECE):
                    progress.report("features", done / total, file.name)
                    done += written.write(piece)
        partial.replace(destination)
    except BaseException:
        if source.is_dir():
            shutil.rmtree(partial, ignore_errors=True)
        else:
            partial.unlink(missing_ok=True)
        raise
