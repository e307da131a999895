# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many assets to many results: one bad file costs itself, and what is done is not done again.

A second Blender captures and one backend reconstructs; both are children, so neither a file that
crashes Blender nor one that fills the memory ends the batch.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...backend.shared import exit_codes
from ...backend.shared.atomic_folder import remove_unfinished
from ...backend.shared.errors import (
    BackendDied,
    BadAsset,
    Cancelled,
    EnvironmentBroken,
    LsrmError,
)
from . import batch_items
from .batch_items import CAPTURE, DONE, FAILED, INTERRUPTED, RESULT, RUNNING, WAITING, Item, Status
from .mesh_check import check_mesh

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ...backend.shared.progress import Progress
    from .backend_client import Client

ITEMS_PER_BLENDER = 50
"""Files after which the capturing Blender is replaced: importers do not give all memory back."""

SKIPPED = "skipped"
LOG, SUMMARY, LOCK = "log.jsonl", "summary.json", ".lock"


@dataclass(frozen=True)
class BatchSettings:
    """How a batch is converted.

    Attributes:
        capture: parameters of `capture`, those of every item alike.
        reconstruct: parameters of `reconstruct`, likewise.
        retries: how often an item is tried again after a child died over it.
        retry_failed: try again what failed in an earlier run.
        force: do again what is done.
        fail_fast: stop at the first failure.
        dry_run: only tell what would be done.
    """

    capture: dict[str, Any] = field(default_factory=dict)
    reconstruct: dict[str, Any] = field(default_factory=dict)
    retries: int = 1
    retry_failed: bool = False
    force: bool = False
    fail_fast: bool = False
    dry_run: bool = False

    @property
    def results(self) -> dict[str, Any]:
        """What results depend on.

        Raises:
            OSError: if the environment cannot be read.
        """
        found = {"capture": self.capture, "reconstruct": self.reconstruct}
        environment = Path(self.capture.get("environment") or "")
        if environment.is_file():
            found["environment"] = batch_items.digest(environment)
        return found


@dataclass(frozen=True)
class Children:
    """Who does the work: a Blender that captures, a backend that reconstructs."""

    blender: Client
    backend: Client


class BatchLog:
    """Tells people in lines and programs in JSON lines.

    Args:
        path: of the JSON lines; None keeps none.
        tell: takes a line for people.
    """

    def __init__(self, path: Path | None, tell: Callable[[str], None]) -> None:
        self._path = path
        self._tell = tell

    def event(self, name: str, **facts: Any) -> None:
        """Note something for programs."""
        if self._path is not None:
            line = json.dumps({"time": round(time.time(), 3), "event": name, **facts})
            with self._path.open("a", encoding="utf-8") as log:
                log.write(line + "\n")

    def say(self, text: str) -> None:
        """Note something for people."""
        self._tell(text)


class Batch:
    """Converts items one after the other.

    Args:
        items: what.
        output: the folder in which each item has its own.
        settings: how.
        children: who does the work.
        log: told of everything.
    """

    def __init__(
        self,
        items: Sequence[Item],
        output: Path,
        settings: BatchSettings,
        children: Children,
        log: BatchLog,
    ) -> None:
        self._items = items
        self._output = output
        self._settings = settings
        self._children = children
        self._log = log
        self._captured = 0

    def run(self, progress: Progress) -> dict[str, Any]:
        """Convert all items.

        Args:
            progress: if it is cancelled, the item at hand is marked as interrupted.

        Returns:
            The summary, with its `exit_code`: 0 all is done, 1 some failed, 130 it was stopped.

        Raises:
            EnvironmentBroken: if a child cannot be started; nothing else would work either.
        """
        start = time.monotonic()
        states: list[dict[str, Any]] = []
        interrupted = False
        self._log.event("begin", items=len(self._items))
        try:
            for number, item in enumerate(self._items, start=1):
                label = f"[{number}/{len(self._items)}] {item.name}"
                states.append(self._do(item, label, progress))
                if self._settings.fail_fast and states[-1]["state"] == FAILED:
                    break
        except Cancelled:
            interrupted = True
        finally:
            summary = self._summary(states, time.monotonic() - start, interrupted=interrupted)
        return summary

    def _do(self, item: Item, label: str, progress: Progress) -> dict[str, Any]:
        """Convert one item, unless there is no need to."""
        progress.check()
        folder = self._output / item.name
        try:
            hashed = batch_items.fingerprint(item.source, self._settings.results)
        except OSError as error:
            return self._cannot_read(item, label, error)
        previous = batch_items.read_status(folder)
        if previous is not None and self._settled(previous, hashed, folder):
            words = {DONE: "is done already", FAILED: "failed before"}[previous.state]
            self._log.say(f"{label} {words}")
            state = SKIPPED if previous.state == DONE else FAILED
            return _entry(item, replace(previous, state=state))
        if self._settings.dry_run:
            self._log.say(f"{label} would be converted")
            return _entry(item, Status(WAITING, str(item.source), hashed))
        status = self._convert(item, hashed, label, progress)
        return _entry(item, status)

    def _cannot_read(self, item: Item, label: str, error: OSError) -> dict[str, Any]:
        told = {"code": "BAD_ASSET", "message": f"{error}", "remedy": "Check the file."}
        self._log.say(f"{label} cannot be read: {error}")
        return _entry(item, Status(FAILED, str(item.source), "", error=told))

    def _settled(self, previous: Status, hashed: str, folder: Path) -> bool:
        """Whether an earlier run has said the last word about an item."""
        if self._settings.force or previous.fingerprint != hashed:
            return False
        if previous.state == DONE:
            return batch_items.is_complete(folder)
        return previous.state == FAILED and not self._settings.retry_failed

    def _convert(self, item: Item, hashed: str, label: str, progress: Progress) -> Status:
        """Convert one item and store what became of it."""
        folder = self._output / item.name
        status = Status(RUNNING, str(item.source), hashed)
        batch_items.write_status(folder, status)
        self._log.event("start", item=item.name, source=str(item.source))
        start = time.monotonic()
        try:
            status = self._try(item, status, progress)
        except (Cancelled, EnvironmentBroken) as error:
            status = replace(status, state=INTERRUPTED, error=error.to_dict())
            raise
        finally:
            _tidy(folder)
            if status.state == RUNNING:
                status = replace(status, state=INTERRUPTED)
            status = replace(status, seconds=round(time.monotonic() - start, 1))
            batch_items.write_status(folder, status)
            self._log.event("end", item=item.name, state=status.state, error=status.error)
            self._log.say(f"{label} {_words(status)}")
        return status

    def _try(self, item: Item, status: Status, progress: Progress) -> Status:
        """Try an item, and again if a child died over it."""
        for attempt in range(1, self._settings.retries + 2):
            status = replace(status, tries=attempt)
            try:
                result = self._work(item, progress)
            except (Cancelled, EnvironmentBroken):
                raise
            except LsrmError as error:
                status = replace(status, state=FAILED, error=error.to_dict())
                if not isinstance(error, BackendDied):
                    break
                self._log.event("died", item=item.name, attempt=attempt, error=error.to_dict())
            else:
                return replace(status, state=DONE, error=None, result=result)
        return status

    def _work(self, item: Item, progress: Progress) -> dict[str, Any]:
        """Capture and reconstruct one item."""
        folder = self._output / item.name
        _tidy(folder)
        if item.source.stat().st_size == 0:
            raise BadAsset(f"{item.source.name} is empty.", "Check the file.")
        blender, backend = self._children.blender, self._children.backend
        views, output = folder / CAPTURE, folder / RESULT
        where = {"asset": str(item.source), "output": str(views)}
        blender.wait(blender.submit("capture", {**self._settings.capture, **where}), progress)
        self._captured += 1
        if self._captured % ITEMS_PER_BLENDER == 0:
            blender.close()
        where = {"views": str(views), "output": str(output)}
        job = backend.submit("reconstruct", {**self._settings.reconstruct, **where})
        report = backend.wait(job, progress)["report"]
        check_mesh(output / "mesh.glb")
        return {key: report[key] for key in ("counts", "metrics", "seconds", "warnings")}

    def _summary(
        self, states: list[dict[str, Any]], seconds: float, *, interrupted: bool
    ) -> dict[str, Any]:
        """Count what became of the items, and store it."""
        names = (DONE, SKIPPED, FAILED, WAITING)
        counts = {name: sum(entry["state"] == name for entry in states) for name in names}
        code = exit_codes.FAILED if counts[FAILED] else exit_codes.DONE
        code = exit_codes.INTERRUPTED if interrupted else code
        summary = {
            "items": states,
            "total": len(self._items),
            **counts,
            "seconds": round(seconds, 1),
            "exit_code": code,
        }
        self._log.event("summary", **{**summary, "items": len(states)})
        if not self._settings.dry_run:
            batch_items.write_json(self._output / SUMMARY, summary)
        told = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
        left = len(self._items) - len(states)
        self._log.say(f"{told or 'nothing'}{f', {left} left' if left else ''} in {seconds:.0f} s")
        return summary


def _tidy(folder: Path) -> None:
    """Remove what a killed child of ours has left in an item's folder."""
    for name in (CAPTURE, RESULT):
        remove_unfinished(folder / name)


@contextlib.contextmanager
def only_one(output: Path) -> Iterator[None]:
    """Hold an output folder, so that no second batch writes there.

    Raises:
        LsrmError: if another one does.
        OutputNotWritable: if it cannot be written.
    """
    output.mkdir(parents=True, exist_ok=True)
    with (output / LOCK).open("w", encoding="ascii") as lock:
        try:
            if sys.platform == "win32":
                import msvcrt

                msvcrt.locking(lock.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                import fcntl

                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise LsrmError(
                f"Another conversion is writing to {output}.", "Wait for it, or stop it."
            ) from error
        yield


def _entry(item: Item, status: Status) -> dict[str, Any]:
    """An item's line in the summary."""
    return {
        "name": item.name,
        "source": status.source,
        "state": status.state,
        "seconds": status.seconds,
        "error": status.error,
    }


def _words(status: Status) -> str:
    """What became of an item, for people."""
    if status.state == DONE and status.result is not None:
        faces = status.result["counts"].get("faces", 0)
        return f"done in {status.seconds:.0f} s: {faces} faces"
    if status.state == FAILED and status.error is not None:
        told = status.error
        return f"failed, {told['code']}: {told['message']} {told['remedy']}"
    return status.state
