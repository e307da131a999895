# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The status of an item: what came of it, and of which files and settings."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....backend.shared.atomic_folder import write_file_atomically
from ..asset_files import referenced_files
from ..job_folders import RESULT

if TYPE_CHECKING:
    from collections.abc import Iterable

STATUS = "status.json"
MESH = f"{RESULT}/mesh.glb"
RESULT_FILES = (MESH, f"{RESULT}/report.json")
DONE, FAILED, POISONED, INTERRUPTED = "done", "failed", "poisoned", "interrupted"


@dataclass(frozen=True)
class Status:
    """The status of an item, as stored in its `status.json`.

    Attributes:
        state: one of the states above.
        source: the 3D file.
        fingerprint: of the file, the files it refers to, and the settings.
        lease: the number of the lease under which it was written, and which it ends.
        seconds: that the conversion took, without a capture beside that of another item.
        tries: that the conversion took.
        error: code, message and remedy, if it failed.
        result: counts, metrics, seconds and warnings of the report, if it is done, and `products`,
            what was made of it beside, as paths in the folder of the item.
        files: the digests of the files that the source uses, by path; None for missing ones.
    """

    state: str
    source: str
    fingerprint: str
    lease: int = 0
    seconds: float = 0.0
    tries: int = 0
    error: dict[str, str] | None = None
    result: dict[str, Any] | None = None
    files: dict[str, str | None] = field(default_factory=dict)


def settings_digest(settings: dict[str, Any]) -> str:
    """A hash of the settings that results depend on."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


def fingerprint(source: Path, settings: str) -> str:
    """What a result depends on, as far as it shows without opening the file.

    Args:
        source: the 3D file.
        settings: the digest of the settings, with which the fingerprint starts.

    Raises:
        OSError: if the source cannot be read.
    """
    total = hashlib.sha256()
    used = [path for path in referenced_files(source) if path.is_file()]
    for path in (source, *used):
        total.update(path.name.encode())
        total.update(bytes.fromhex(digest(path)))
    return f"{settings} {total.hexdigest()}"


def digests(paths: Iterable[str]) -> dict[str, str | None]:
    """The digest of every file; None if it cannot be read."""
    found: dict[str, str | None] = {}
    for name in paths:
        try:
            found[name] = digest(Path(name))
        except (OSError, ValueError):
            found[name] = None
    return found


def digest(path: Path) -> str:
    """The SHA-256 of a file's content.

    Raises:
        OSError: if it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_status(folder: Path) -> Status | None:
    """The status of an item, or None if it is missing or invalid."""
    try:
        return Status(**json.loads((folder / STATUS).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def write_status(folder: Path, status: Status) -> None:
    """Store a status atomically."""
    write_json(folder / STATUS, vars(status))


def write_json(path: Path, document: dict[str, Any]) -> None:
    """Store a JSON document atomically, with a line for each member and for each of many items.

    What is no text in a file name is escaped.
    """
    members = (f"{json.dumps(key)}: {_in_lines(value)}" for key, value in document.items())
    text = "{\n " + ",\n ".join(members) + "\n}\n"
    write_file_atomically(path, text.encode("utf-8", "backslashreplace"))


def _in_lines(value: Any) -> str:
    """A value as JSON; a list with a line for each element."""
    if isinstance(value, list) and value:
        return (
            "[\n  " + ",\n  ".join(json.dumps(each, ensure_ascii=False) for each in value) + "\n ]"
        )
    return json.dumps(value, ensure_ascii=False)


def is_complete(folder: Path, status: Status, files: Iterable[str] = RESULT_FILES) -> bool:
    """Whether an item's folder holds its files, and what was made of them by its status.

    Args:
        folder: of the item.
        status: of the item.
        files: relative to the folder; by default those of a result.
    """
    products = (status.result or {}).get("products", ())
    return all((folder / name).is_file() for name in (*files, *products))
