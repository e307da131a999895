# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""All objects of a data set: finished ones are kept, damaged ones are named and counted."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from backend.shared.capture.json_files import read_object, write_object
from backend.shared.errors import (
    BadRequest,
    Cancelled,
    CheckpointMismatch,
    CheckpointMissing,
    DeviceUnavailable,
    DiskFull,
    EnvironmentBroken,
    LicenseNotAccepted,
    LsrmError,
    OutputNotWritable,
    as_lsrm_error,
    write_failure,
)
from backend.shared.terminal import say

from .evaluation import Evaluation
from .measures import PerceptualMeasures

if TYPE_CHECKING:
    from pathlib import Path

    from backend.shared.progress import Progress

    from .settings import Settings

OBJECTS, BEGUN, SCORES = "objects", "settings.json", "scores.json"
"""The folder of all objects; the first and the last file that is written of each."""

ENDING = (
    BadRequest,
    Cancelled,
    CheckpointMismatch,
    CheckpointMissing,
    DeviceUnavailable,
    DiskFull,
    EnvironmentBroken,
    LicenseNotAccepted,
    OutputNotWritable,
)
"""Errors that are not of one object: no other would succeed."""


def evaluate_all(settings: Settings, progress: Progress) -> dict[str, Any]:
    """Evaluate the objects of a data set that an earlier run has not finished.

    Returns:
        As JSON: `objects`, the documents of measured ones by name; `failed`, the errors of the
        others; `total`, how many the data set has; `notes` about measures that are left out.

    Raises:
        BadDataset: if there are no objects.
        BadRequest: if an object is wanted that there is not, or the output lies in the data set.
        LsrmError: one of `ENDING`; objects that were finished before stay finished.
    """
    perceptual = PerceptualMeasures.available(settings.lpips_weights)
    evaluation, identity = Evaluation(settings, perceptual), settings.identity(flip=perceptual.flip)
    if settings.output.resolve().is_relative_to(settings.data.resolve()):
        raise BadRequest(
            f"The output {settings.output} lies in the data set.", "Choose a folder outside of it."
        )
    found = settings.layout.find_objects(settings.data)
    chosen = _choose(found, settings.only)
    measured, failed = {}, {}
    for number, (name, source) in enumerate(chosen.items(), start=1):
        progress.check()
        folder = settings.output / OBJECTS / name
        label = f"[{number}/{len(chosen)}] {name}"
        document = _finished(folder, identity)
        if document is not None:
            say(f"{label} is done already")
            measured[name] = document
            continue
        say(label)
        try:
            measured[name] = _measure(evaluation, source, folder, identity, progress)
        except ENDING:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the next object may succeed
            failed[name] = as_lsrm_error(error).to_dict()
            say(f"{label} failed, {failed[name]['code']}: {failed[name]['message']}")
    return {
        "objects": measured,
        "failed": failed,
        "total": len(found),
        "notes": perceptual.notes(),
    }


def _measure(
    evaluation: Evaluation, source: Path, folder: Path, identity: dict[str, Any], progress: Progress
) -> dict[str, Any]:
    """Evaluate one object in an empty folder and store its scores, last of all.

    Raises:
        OutputNotWritable: if the folder holds what no evaluation has written.
        LsrmError: as `Evaluation.measure` raises.
    """
    try:
        _make_empty(folder)
        write_object(folder / BEGUN, identity)
    except OSError as error:
        raise write_failure(folder, error) from error
    document = {"settings": identity, **evaluation.measure(source, folder, progress)}
    try:
        write_object(folder / SCORES, document)
    except OSError as error:
        raise write_failure(folder / SCORES, error) from error
    return document


def _make_empty(folder: Path) -> None:
    """Make the folder of an object, without what an earlier evaluation has left in it."""
    if folder.is_dir() and any(folder.iterdir()) and not (folder / BEGUN).is_file():
        raise OutputNotWritable(
            f"{folder} holds files that are no evaluation.", "Choose an empty or a new folder."
        )
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)


def _choose(found: dict[str, Path], only: tuple[str, ...]) -> dict[str, Path]:
    """The objects that are wanted.

    Raises:
        BadRequest: if there is no object of a name.
    """
    unknown = [name for name in only if name not in found]
    if unknown:
        raise BadRequest(
            f"The data set has no object {unknown[0]}.",
            f"It has, for example, {next(iter(found))}.",
        )
    return {name: path for name, path in found.items() if not only or name in only}


def _finished(folder: Path, identity: dict[str, Any]) -> dict[str, Any] | None:
    """The scores of an object, if it was evaluated with the same settings."""
    try:
        document = read_object(folder / SCORES)
    except LsrmError:
        return None
    return document if document.get("settings") == identity else None
