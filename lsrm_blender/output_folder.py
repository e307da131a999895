# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders that appear whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..backend.errors import DiskFull, OutputNotWritable
from .pixels import write_failure

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def replaced_folder(target: Path, marker: str) -> Iterator[Path]:
    """A new folder beside the target, which takes its place if the body succeeds.

    Args:
        target: the folder to make or replace.
        marker: a file that only folders of this kind hold; others are never replaced.

    Raises:
        OutputNotWritable: if the target is something else, or its parent cannot be written.
        DiskFull: if there is no room.
    """
    target = target.absolute()
    if target.exists() and not (target / marker).is_file() and not _is_empty_folder(target):
        raise OutputNotWritable(
            f"{target} exists and has no {marker}, so it is not ours to replace.",
            "Choose a new folder.",
        )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        raise write_failure(target, error) from error
    try:
        yield fresh
        _take_place(fresh, target)
    except OSError as error:
        raise write_failure(target, error) from error
    except (DiskFull, OutputNotWritable) as error:
        # The user knows the target, not the folder that is gone by now.
        message = error.message.replace(str(fresh), str(target))
        raise type(error)(message, error.remedy) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _is_empty_folder(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())


def _take_place(fresh: Path, target: Path) -> None:
    """Rename a folder over another; the old one steps aside and comes back if that fails."""
    fresh.chmod(0o755)
    aside = fresh.with_name(fresh.name + ".old")
    if target.exists():
        target.replace(aside)
    try:
        fresh.replace(target)
    except OSError:
        if aside.exists():
            aside.replace(target)
        raise
    shutil.rmtree(aside, ignore_errors=True)
