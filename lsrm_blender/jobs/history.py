# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What earlier jobs have made: reading it from their folders, and deleting it."""

from __future__ import annotations

import json
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...backend.shared.errors import LsrmError, write_failure
from ...backend.shared.names.result_names import (
    LITTER,
    MESH,
    PREVIEW,
    QUADS,
    REPORT,
    is_content,
    is_level,
    level_faces,
)
from .job_folders import CAPTURE, RECORD, RESULT, is_busy, numbered

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MOST_ENTRIES = 200
"""The latest ones; older results stay on disk."""

TRANSFORMS = "transforms.json"
DELETED = ".deleted."
PICTURES = (".png", ".jpg", ".jpeg", ".webp")


@dataclass(frozen=True)
class Entry:
    """What one job has made.

    Attributes:
        folder: of the job.
        name: of the asset.
        made: when the job began, in seconds since 1970.
        settings: of capture and reconstruction, those that are known.
        score: PSNR of the result on its views, in dB; None if it is not known.
        used_views: the capture folder that the result was made of; None if it is not known.
        levels: the files of its coarser levels of detail by their number of triangles, falling.
    """

    folder: Path
    name: str
    made: float
    settings: dict[str, str] = field(default_factory=dict)
    score: float | None = None
    used_views: Path | None = None
    levels: dict[int, str] = field(default_factory=dict)

    @property
    def result(self) -> Path | None:
        """The result folder, if there is a result."""
        folder = self.folder / RESULT
        return folder if (folder / MESH).is_file() else None

    @property
    def quads(self) -> Path | None:
        """The mesh of quads, if there is one."""
        file = self.folder / RESULT / QUADS
        return file if file.is_file() else None

    @property
    def views(self) -> Path | None:
        """The capture folder, if the job has captured anything."""
        folder = self.folder / CAPTURE
        return folder if (folder / TRANSFORMS).is_file() else None

    @property
    def preview(self) -> Path | None:
        """A picture of the result, or the first of the views."""
        if self.result is not None and (self.result / PREVIEW).is_file():
            return self.result / PREVIEW
        images = (self.folder / CAPTURE / "images").glob("*") if self.views else []
        return min((each for each in images if each.suffix.lower() in PICTURES), default=None)


def read_history(root: Path, more: Iterable[Path] = ()) -> list[Entry]:
    """What the jobs below a folder have made, the latest first.

    Args:
        root: holds a folder for each object, which holds the folders of its jobs.
        more: folders of jobs elsewhere.
    """
    try:
        objects = [each for each in root.iterdir() if each.is_dir()]
    except OSError:
        objects = []
    folders = [folder for each in objects for folder in numbered(each)]
    found: dict[Path, Entry] = {}
    for folder in (*folders, *more):
        with suppress(OSError):  # a folder that may not be read does not hide the others
            entry = read_entry(folder.resolve())
            if entry.result or entry.views:
                found[entry.folder] = entry
    latest = sorted(found.values(), key=lambda entry: entry.made, reverse=True)
    return latest[:MOST_ENTRIES]


def read_entry(folder: Path) -> Entry:
    """What is known of the job of a folder; broken files say nothing."""
    record, report = _read(folder / RECORD), _read(folder / RESULT / REPORT)
    request, metrics = _part(report, "request"), _part(report, "metrics")
    settings = {**_part(record, "settings"), **request}
    if "views" in (counts := _part(report, "counts")):
        settings["view_count"] = counts["views"]
    name, made, score = record.get("name"), record.get("made"), metrics.get("psnr")
    views = request.get("views")
    return Entry(
        folder,
        name if isinstance(name, str) else folder.parent.name,
        float(made) if isinstance(made, int | float) else _modified(folder),
        {key: str(value) for key, value in settings.items()},
        float(score) if isinstance(score, int | float) else None,
        Path(views) if isinstance(views, str) else None,
        levels_in(folder / RESULT),
    )


def levels_in(result: Path) -> dict[int, str]:
    """The files of coarser levels of detail in a result folder, by number of triangles."""
    names = [each.name for each in result.glob("*.glb") if is_level(each.name)]
    return dict(sorted(((level_faces(name), name) for name in names), reverse=True))


def delete_entry(entry: Entry, others: Sequence[Entry]) -> str:
    """Delete what a job has made; views that another result was made of stay.

    Returns:
        A sentence about what was deleted.

    Raises:
        LsrmError: if a job is running there, or other files lie there.
        OutputNotWritable: if the folder cannot be changed.
    """
    if is_busy(entry.folder):
        raise LsrmError(f"A job is writing to {entry.folder}.", "Wait for it, or stop it.")
    _check_content(entry.folder)
    captured = (entry.folder / CAPTURE).resolve()
    users = [each for each in others if each.folder != entry.folder and each.result]
    users = [each for each in users if each.used_views and each.used_views.resolve() == captured]
    try:
        if users and entry.result is None:
            raise LsrmError(
                f"The views in {captured} are those of {_label(users[0])}.",
                "Delete that result first.",
            )
        if users and entry.result is not None:
            _remove(entry.result)
            return f"The result is deleted; its views are those of {_label(users[0])}, too"
        _remove(entry.folder)
    except OSError as error:
        raise write_failure(entry.folder, error) from error
    with suppress(OSError):  # the last one of its object: not so if others are left
        entry.folder.parent.rmdir()
    return f"{_label(entry)} is deleted"


def _label(entry: Entry) -> str:
    return f"{entry.name} {entry.folder.name}"


def _check_content(folder: Path) -> None:
    """Refuse to delete files that no job has made.

    Raises:
        LsrmError: naming one.
    """
    known = {folder: {CAPTURE, RESULT, RECORD}.__contains__, folder / RESULT: is_content}
    for place, is_known in known.items():
        found = {each.name for each in place.iterdir()} if place.is_dir() else set()
        if foreign := sorted(name for name in found - LITTER if not is_known(name)):
            raise LsrmError(
                f"{place} holds a file that is no result of LSRM: {foreign[0]}.",
                "Move it elsewhere, or delete the folder by hand.",
            )


def _remove(folder: Path) -> None:
    """Remove a folder; it disappears at once, or not at all."""
    grave = Path(tempfile.mkdtemp(prefix=DELETED, dir=folder.parent))
    try:
        folder.rename(grave / folder.name)
    finally:
        shutil.rmtree(grave, ignore_errors=True)


def _modified(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except OSError:
        return 0.0


def _read(path: Path) -> dict[str, Any]:
    """A JSON object; empty if there is none."""
    try:
        document = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _part(document: dict[str, Any], key: str) -> dict[str, Any]:
    value = document.get(key)
    return value if isinstance(value, dict) else {}
