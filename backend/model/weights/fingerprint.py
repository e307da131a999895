# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A hash of large files that is computed once, and again when one of them changes."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from ...shared.atomic_folder import write_file_atomically

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

CACHE = "fingerprint.json"


def fingerprint_of(folder: Path, names: Sequence[str]) -> str:
    """A hash of the content of files in a folder, hexadecimal.

    Billions of parameters take seconds to read, so the hash of each file is kept beside them with
    its size and time. A folder that cannot be written is read each time.

    Args:
        folder: that holds the files.
        names: of the files; their order counts.

    Raises:
        OSError: if a file cannot be read.
    """
    known = _read(folder / CACHE)
    digest, found = hashlib.sha256(), {}
    for name in names:
        path = folder / name
        status = path.stat()
        state = (status.st_size, status.st_mtime_ns)
        entry = known.get(name)
        if entry is None or entry.state != state:
            with path.open("rb") as file:
                entry = _Entry(state, hashlib.file_digest(file, "sha256").hexdigest())
        found[name] = entry
        digest.update(bytes.fromhex(entry.sha256))
    if found != known:
        content = {name: asdict(entry) for name, entry in found.items()}
        with suppress(OSError):
            write_file_atomically(folder / CACHE, (json.dumps(content, indent=1) + "\n").encode())
    return digest.hexdigest()


@dataclass(frozen=True)
class _Entry:
    """The hash of a file of a size in bytes and a time in nanoseconds."""

    state: tuple[int, int]
    sha256: str


def _read(path: Path) -> dict[str, _Entry]:
    """The hashes of an earlier call; nothing if there are none or they cannot be used."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {
            name: _Entry((int(entry["state"][0]), int(entry["state"][1])), _hash(entry["sha256"]))
            for name, entry in content.items()
        }
    except (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError):
        return {}


def _hash(text: str) -> str:
    """A SHA-256 as it is stored; anything else is a `ValueError`."""
    if len(bytes.fromhex(text)) != hashlib.sha256().digest_size:
        raise ValueError(text)
    return text
