# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many assets to many results: a failing item does not stop the rest, a finished one is skipped.

A second Blender captures and one backend reconstructs. Both are child processes, so neither a file
that crashes Blender nor one that fills the memory ends the batch.
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
from ...backend.shared.errors import (
    BackendDied,
    Cancelled,
    EnvironmentBroken,
    LsrmError,
    as_lsrm_error,
    write_failure,
)
from . import batch_items
from .batch_items import CAPTURE, DONE, FAILED, INTERRUPTED, RESULT, RUNNING, WAITING, Item, Status
from .captures import Captures, fit_at_once, remove_leftovers
from .mesh_check import check_mesh

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ...backend.shared.progress import Progress
    from .backend_client import Client

SKIPPED = "skipped"
LOG, SUMMARY, LOCK = "log.jsonl", "summary.json", ".lock"


@dataclass(frozen=True)
class BatchSettings:
    """How a batch is converted.

    Attributes:
        capture: parameters of `capture` that all items share.
        reconstruct: parameters of `reconstruct` that all items share.
        retries: how often an item is tried again after a child process died.
        retry_failed: try items again that failed in an earlier run.
        force: convert finished items again.
        fail_fast: stop at the first failure.
        dry_run: only list what would be done.
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
        """The settings that results depend on, as input of their fingerprint.

        Raises:
            OSError: if the environment cannot be read.
        """
        found: dict[str, Any] = {"capture": self.capture, "reconstruct": self.reconstruct}
        environment = Path(self.capture.get("environment") or "")
        if environment.is_file():
            found["environment"] = batch_items.digest(environment)
        return found


@dataclass(frozen=True)
class Children:
    """The child processes of a batch.

    Attributes:
        blender: captures.
        backend: reconstructs.
    """

    blender: Client
    backend: Client


class BatchLog:
    """The log of a batch: JSON lines in a file, and lines of text for people.

    Args:
        path: of the JSON lines; None writes none.
        print_line: receives a line for people.

    Attributes:
        say: prints a line for people.
    """

    def __init__(self, path: Path | None, print_line: Callable[[str], None]) -> None:
        self.say = print_line
        self._path = path

    def event(self, name: str, **facts: Any) -> None:
        """Write a JSON line."""
        if self._path is not None:
            line = json.dumps({"time": round(time.time(), 3), "event": name, **facts})
            with self._path.open("a", encoding="utf-8") as log:
                log.write(line + "\n")


class Batch:
    """Converts items one after the other, and captures the next one beside a reconstruction.

    Args:
        items: the files to convert.
        output: the folder in which each item has a folder.
        settings: how they are converted.
        children: the child processes.
        log: receives every event.
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
        self._next: Item | None = None
        self._fingerprints: dict[Item, str] = {}
        self._captures = Captures(children.blender, settings.capture, output)

    def run(self, progress: Progress) -> dict[str, Any]:
        """Convert all items.

        Args:
            progress: if it is cancelled, the current item is marked as interrupted.

        Returns:
            The summary, with its `exit_code`: 0 all are done, 1 some failed, 130 stopped.

        Raises:
            EnvironmentBroken: if a child process cannot be started; no item would succeed.
        """
        start = time.monotonic()
        states: list[dict[str, Any]] = []
        code, stopped_by = exit_codes.DONE, None
        self._log.event("begin", items=len(self._items))
        try:
            for number, item in enumerate(self._items, start=1):
                label = f"[{number}/{len(self._items)}] {item.name}"
                self._next = self._items[number] if number < len(self._items) else None
                states.append(self._process(item, label, progress))
                if states[-1]["state"] == FAILED:
                    code = exit_codes.FAILED
                    if self._settings.fail_fast:
                        break
        except Cancelled:
            code = exit_codes.INTERRUPTED
        except LsrmError as error:
            code, stopped_by = exit_codes.exit_code(error), error
        finally:
            self._captures.stop_ahead()
        summary = self._summary(states, time.monotonic() - start, code)
        if stopped_by is not None:
            raise stopped_by
        return summary

    def _process(self, item: Item, label: str, progress: Progress) -> dict[str, Any]:
        """Convert one item, unless an earlier run has finished it.

        Raises:
            Cancelled, EnvironmentBroken: these end the batch; all else is a failure of the item.
        """
        progress.check()
        try:
            return self._convert_unless_finished(item, label, progress)
        except (Cancelled, EnvironmentBroken):
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the next item may succeed
            return self._cannot_convert(item, label, error)

    def _convert_unless_finished(
        self, item: Item, label: str, progress: Progress
    ) -> dict[str, Any]:
        """Convert one item, unless an earlier run has finished it."""
        try:
            fingerprint = self._fingerprint(item)
        except OSError as error:
            return self._cannot_read(item, label, error)
        previous = self._finished_before(item, fingerprint)
        if previous is not None:
            outcome = {DONE: "is done already", FAILED: "failed before"}[previous.state]
            self._log.say(f"{label} {outcome}")
            state = SKIPPED if previous.state == DONE else FAILED
            return _entry(item, replace(previous, state=state))
        if self._settings.dry_run:
            self._log.say(f"{label} would be converted")
            return _entry(item, Status(WAITING, str(item.source), fingerprint))
        status = self._convert(item, fingerprint, label, progress)
        return _entry(item, status)

    def _cannot_read(self, item: Item, label: str, error: OSError) -> dict[str, Any]:
        details = {"code": "BAD_ASSET", "message": f"{error}", "remedy": "Check the file."}
        self._log.say(f"{label} cannot be read: {error}")
        return _entry(item, Status(FAILED, str(item.source), "", error=details))

    def _cannot_convert(self, item: Item, label: str, error: Exception) -> dict[str, Any]:
        """The entry of an item whose folder cannot be written, or that failed unforeseen."""
        folder = self._output / item.name
        known = write_failure(folder, error) if isinstance(error, OSError) else as_lsrm_error(error)
        status = Status(FAILED, str(item.source), "", error=known.to_dict())
        with contextlib.suppress(OSError):
            batch_items.write_status(folder, status)
        self._log.say(f"{label} {_outcome(status)}")
        return _entry(item, status)

    def _fingerprint(self, item: Item) -> str:
        """The fingerprint of an item when it was first looked at: that is what is captured ahead.

        Raises:
            OSError: if the source cannot be read.
        """
        if item not in self._fingerprints:
            found = batch_items.fingerprint(item.source, self._settings.results)
            self._fingerprints[item] = found
        return self._fingerprints[item]

    def _finished_before(self, item: Item, fingerprint: str) -> Status | None:
        """The status of an item that an earlier run has finished; None if it is converted now."""
        folder = self._output / item.name
        previous = batch_items.read_status(folder)
        if previous is None or self._settings.force or previous.fingerprint != fingerprint:
            return None
        if previous.state == DONE:
            unchanged = batch_items.digests(previous.files) == previous.files
            return previous if unchanged and batch_items.is_complete(folder) else None
        failed = previous.state == FAILED and not self._settings.retry_failed
        return previous if failed else None

    def _convert(self, item: Item, fingerprint: str, label: str, progress: Progress) -> Status:
        """Convert one item and store its status."""
        folder = self._output / item.name
        status = Status(RUNNING, str(item.source), fingerprint)
        batch_items.write_status(folder, status)
        self._log.event("start", item=item.name, source=str(item.source))
        start = time.monotonic()
        try:
            status = self._convert_with_retries(item, status, progress)
        except (Cancelled, EnvironmentBroken) as error:
            status = replace(status, state=INTERRUPTED, error=error.to_dict())
            raise
        finally:
            remove_leftovers(folder)
            if status.state == RUNNING:
                status = replace(status, state=INTERRUPTED)
            status = replace(status, seconds=round(time.monotonic() - start, 1))
            batch_items.write_status(folder, status)
            self._log.event("end", item=item.name, state=status.state, error=status.error)
            self._log.say(f"{label} {_outcome(status)}")
        return status

    def _convert_with_retries(self, item: Item, status: Status, progress: Progress) -> Status:
        """Convert one item, again if a child process died."""
        for attempt in range(1, self._settings.retries + 2):
            status = replace(status, tries=attempt)
            try:
                result, files = self._capture_and_reconstruct(item, progress)
            except (Cancelled, EnvironmentBroken):
                raise
            except LsrmError as error:
                status = replace(status, state=FAILED, error=error.to_dict())
                if not isinstance(error, BackendDied):
                    break
                self._log.event("died", item=item.name, attempt=attempt, error=error.to_dict())
            else:
                return replace(status, state=DONE, error=None, result=result, files=files)
        return status

    def _capture_and_reconstruct(
        self, item: Item, progress: Progress
    ) -> tuple[dict[str, Any], dict[str, str | None]]:
        """Capture and reconstruct one item: its result, and the digests of the files it uses."""
        folder = self._output / item.name
        blender, backend = self._children.blender, self._children.backend
        views, output = folder / CAPTURE, folder / RESULT
        captured = self._captures.wait(item, progress)
        files = batch_items.digests(captured.get("source", {}).get("files", ()))
        params = {**self._settings.reconstruct, "views": str(views), "output": str(output)}
        job = backend.submit("reconstruct", params)
        backend.pump()
        self._begin_next_capture()
        report = backend.wait(job, progress, beside=blender)["report"]
        check_mesh(output / "mesh.glb")
        result = {key: report[key] for key in ("counts", "metrics", "seconds", "warnings")}
        seen = [text for text in captured.get("warnings", ()) if text not in result["warnings"]]
        return {**result, "warnings": [*seen, *result["warnings"]]}, files

    def _begin_next_capture(self) -> None:
        """Begin to capture the next item while this one is reconstructed, where memory allows."""
        item, children = self._next, self._children
        if item is None or not fit_at_once(children.blender, children.backend):
            return
        with contextlib.suppress(Exception):  # what is wrong with the item shows at its turn
            if self._finished_before(item, self._fingerprint(item)) is None:
                self._captures.begin_ahead(item)
                self._log.event("ahead", item=item.name)

    def _summary(self, states: list[dict[str, Any]], seconds: float, code: int) -> dict[str, Any]:
        """Count the outcomes of the items, and store the summary."""
        names = (DONE, SKIPPED, FAILED, WAITING)
        counts = {name: sum(entry["state"] == name for entry in states) for name in names}
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
        text = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
        left = len(self._items) - len(states)
        self._log.say(f"{text or 'nothing'}{f', {left} left' if left else ''} in {seconds:.0f} s")
        return summary


@contextlib.contextmanager
def locked(output: Path) -> Iterator[None]:
    """Lock an output folder against a second batch.

    Raises:
        LsrmError: if another batch has locked it.
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
    """An item's entry in the summary."""
    return {
        "name": item.name,
        "source": status.source,
        "state": status.state,
        "seconds": status.seconds,
        "error": status.error,
        "warnings": status.result["warnings"] if status.result is not None else [],
    }


def _outcome(status: Status) -> str:
    """The outcome of an item, for people."""
    if status.state == DONE and status.result is not None:
        faces = status.result["counts"].get("faces", 0)
        text = f"done in {status.seconds:.0f} s: {faces} faces"
        return "\n".join([text, *(f"  Warning: {each}" for each in status.result["warnings"])])
    if status.state == FAILED and status.error is not None:
        error = status.error
        return f"failed, {error['code']}: {error['message']} {error['remedy']}"
    return status.state
