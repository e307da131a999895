# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The items of a batch: which files, under which names, done when, of what exactly.

No bpy in here.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...backend.shared.errors import LsrmError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

STATUS = "status.json"
CAPTURE, RESULT = "capture", "result"

WAITING, RUNNING, DONE, FAILED, INTERRUPTED = (
    "waiting", "running", "done", "failed", "interrupted",
)  # fmt: skip

FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f]')
DIGITS = re.compile(r"(\d+)")


class NoSuchInput(LsrmError):
    """The command line names nothing that is there."""

    code = "BAD_ASSET"


@dataclass(frozen=True)
class Item:
    """One file of a batch.

    Attributes:
        source: the 3D file.
        name: of its folder in the output; unique.
    """

    source: Path
    name: str


@dataclass(frozen=True)
class Status:
    """What is known of an item, in its `status.json`.

    Attributes:
        state: one of the five words above.
        source: the 3D file.
        fingerprint: of the file, what it refers to, and the settings.
        seconds: that it took.
        tries: that it took.
        error: code, message and remedy, if it failed.
        result: sizes and scores, if it is done.
    """

    state: str
    source: str
    fingerprint: str
    seconds: float = 0.0
    tries: int = 0
    error: dict[str, str] | None = None
    result: dict[str, Any] | None = None


def find_items(inputs: Sequence[str], suffixes: Iterable[str], output: Path) -> list[Item]:
    """The 3D files that are meant by files, folders and patterns, each once, in natural order.

    Args:
        inputs: as on the command line.
        suffixes: that count in folders; a file that is named itself always counts.
        output: is left out where a folder contains it.

    Raises:
        NoSuchInput: listing all inputs that name nothing.
    """
    found: dict[Path, str] = {}
    missing = []
    known = tuple(suffixes)
    for text in inputs:
        files = _files_of(text, known, output.absolute())
        if not files:
            missing.append(text)
        for path, name in files.items():
            found.setdefault(path, name)
    if missing or not found:
        raise NoSuchInput(
            f"Nothing to convert in: {', '.join(missing) or 'the command line'}.",
            f"Give files, folders or patterns; in folders these count: {' '.join(known)}.",
        )
    return _named(found)


def _files_of(text: str, suffixes: tuple[str, ...], output: Path) -> dict[Path, str]:
    """The files that one input means, each with the name it would like."""
    path = Path(text)
    if path.is_file():
        return {path.absolute(): path.stem}
    root = path.absolute()
    matches = sorted(glob.glob(text, recursive=True), key=natural)  # noqa: PTH207 - a user's pattern
    if path.is_dir():
        matches = sorted((str(each) for each in root.rglob("*")), key=natural)
    else:
        root = Path(text.split("*", maxsplit=1)[0]).absolute().parent
    files = [Path(match).absolute() for match in matches]
    return {
        each: "_".join(each.relative_to(root).with_suffix("").parts)
        for each in files
        if each.suffix.lower() in suffixes and each.is_file() and output not in each.parents
    }


def _named(found: dict[Path, str]) -> list[Item]:
    """Give every file a folder name that no other has, and that any system can write."""
    names: dict[Path, str] = {path: _clean(name) for path, name in found.items()}
    more = (
        lambda path: f"{_clean(found[path])}_{path.suffix[1:].lower()}",
        lambda path: f"{_clean(path.parent.name)}_{_clean(found[path])}{path.suffix.lower()}",
        lambda path: f"{_clean(found[path])}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}",
    )
    for longer in more:
        taken = [name.casefold() for name in names.values()]
        for path, name in names.items():
            if taken.count(name.casefold()) > 1:
                names[path] = longer(path)
    return [Item(path, name) for path, name in names.items()]


def _clean(name: str) -> str:
    return FORBIDDEN.sub("_", name).strip(" .") or "item"


def natural(text: str) -> list[Any]:
    """A key that sorts chair2 before chair10."""
    return [int(part) if part.isdigit() else part.casefold() for part in DIGITS.split(text)]


def fingerprint(source: Path, settings: dict[str, Any]) -> str:
    """A hash of all that a result depends on.

    Raises:
        OSError: if the source cannot be read.
    """
    total = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for path in (source, *_referred(source)):
        total.update(path.name.encode())
        total.update(bytes.fromhex(digest(path)))
    return total.hexdigest()


def digest(path: Path) -> str:
    """The SHA-256 of what a file holds.

    Raises:
        OSError: if it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _referred(source: Path) -> list[Path]:
    """The files beside a text format that belong to it."""
    kind = source.suffix.lower()
    try:
        if kind == ".gltf":
            document = json.loads(source.read_text("utf-8"))
            parts = [*document.get("buffers", []), *document.get("images", [])]
            names = [part.get("uri", "") for part in parts]
        elif kind == ".obj":
            names = _words_after(source, "mtllib")
            for library in [source.parent / name for name in names]:
                names = names + _words_after(library, "map_")
        else:
            names = []
    except (OSError, ValueError, AttributeError):
        return []  # a broken file has only itself
    paths = {source.parent / name for name in names if name and not name.startswith("data:")}
    return sorted(path for path in paths if path.is_file())


def _words_after(path: Path, beginning: str) -> list[str]:
    """The rest of all lines of a text file that begin like this; the last word of options."""
    if not path.is_file():
        return []
    with path.open("rb") as file:
        lines = [line.decode("utf-8", "replace").split() for line in file]
    return [line[-1] for line in lines if len(line) > 1 and line[0].startswith(beginning)]


def read_status(folder: Path) -> Status | None:
    """The status of an item, or None if there is none that can be understood."""
    try:
        return Status(**json.loads((folder / STATUS).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def write_status(folder: Path, status: Status) -> None:
    """Store a status, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / STATUS, asdict(status))


def write_json(path: Path, document: Any) -> None:
    """Store a JSON document, whole or not at all."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", "utf-8")
    part.replace(path)


def is_complete(folder: Path) -> bool:
    """Whether an item's folder holds a result."""
    return all((folder / RESULT / name).is_file() for name in ("mesh.glb", "report.json"))
