# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many assets to many results: a failing item does not stop the rest, a finished one is skipped.

A second Blender captures and one backend reconstructs. Both are child processes, so neither a file
that crashes Blender nor one that fills the memory ends the batch. Each item is converted under a
lease, so any number of batches, on any number of machines, may share an output folder.
"""

from __future__ import annotations

import contextlib
import functools
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...backend.shared import exit_codes
from ...backend.shared.errors import (
    BackendDied,
    BadAsset,
    BadRequest,
    Cancelled,
    EnvironmentBroken,
    LsrmError,
    as_lsrm_error,
    write_failure,
)
from . import batch_items
from .batch_items import CAPTURE, DONE, FAILED, INTERRUPTED, POISONED, RESULT, Item, Status
from .batch_log import HELD, SKIPPED, SUMMARY, WAITING, BatchLog, entry_of, exit_code, outcome_of
from .captures import Captures, fit_at_once, remove_leftovers
from .farm.leases import ItemHeld, Lease, take_lease
from .farm.shards import WHOLE
from .job_files.progress_lines import ITEMS
from .mesh_check import check_mesh

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...backend.shared.progress import Progress
    from .backend_client import Client
    from .farm.holders import Holder
    from .farm.runs import Run

MOST_DEATHS = 2
"""An item at which that many processes died, one after the other, is set aside."""


@dataclass(frozen=True)
class BatchSettings:
    """How a batch is converted.

    Attributes:
        capture: parameters of `capture` that all items share.
        reconstruct: parameters of `reconstruct` that all items share.
        retries: how often an item is tried again after a child process died.
        retry_failed: try items again that failed or were set aside in an earlier run.
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

    @functools.cached_property
    def digest(self) -> str:
        """Of the settings that results depend on.

        Raises:
            BadRequest: if the environment cannot be read.
        """
        found: dict[str, Any] = {"capture": self.capture, "reconstruct": self.reconstruct}
        environment = Path(self.capture.get("environment") or "")
        try:
            if environment.is_file():
                found["environment"] = batch_items.digest(environment)
        except OSError as error:
            raise BadRequest(f"{environment} cannot be read: {error}.", "Check it.") from error
        return batch_items.settings_digest(found)


@dataclass(frozen=True)
class Children:
    """The child processes of a batch.

    Attributes:
        blender: captures.
        backend: reconstructs.
    """

    blender: Client
    backend: Client


class Batch:
    """Converts items one after the other, and captures the next one beside a reconstruction.

    Args:
        items: the files to convert.
        run: that converts them, in whose output folder each item has a folder.
        settings: how they are converted.
        children: the child processes.
        log: receives every event.
    """

    def __init__(
        self,
        items: Sequence[Item],
        run: Run,
        settings: BatchSettings,
        children: Children,
        log: BatchLog,
    ) -> None:
        self._items = items
        self._run = run
        self._settings = settings
        self._children = children
        self._log = log
        self._next: Item | None = None
        self._fingerprints: dict[Item, str] = {}
        self._captures = Captures(children.blender, settings.capture, run.output)

    def run(self, progress: Progress) -> dict[str, Any]:
        """Convert all items.

        Args:
            progress: if it is cancelled, the current item is marked as interrupted.

        Returns:
            The summary, with its `exit_code`: 0 all are done, 1 some failed or are set aside,
            4 some are held by others, 130 stopped.

        Raises:
            EnvironmentBroken: if a child process cannot be started; no item would succeed.
        """
        start = time.monotonic()
        entries: dict[str, dict[str, Any]] = {}
        holder, shard = self._run.holder, self._run.shard
        self._log.event(
            "begin", items=len(self._items), shard=str(shard), host=holder.host,
            process=holder.process,
        )  # fmt: skip
        stopped_by: LsrmError | None = None
        try:
            self._process_all(self._items, entries, progress)
        except (Cancelled, EnvironmentBroken) as error:
            stopped_by = error
        finally:
            self._captures.stop_ahead()
        found = list(entries.values())
        code = exit_code(found) if stopped_by is None else exit_codes.exit_code(stopped_by)
        summary = self._summary(found, time.monotonic() - start, code)
        if isinstance(stopped_by, EnvironmentBroken):
            raise stopped_by
        return summary

    def _process_all(
        self, items: Sequence[Item], entries: dict[str, dict[str, Any]], progress: Progress
    ) -> None:
        """Convert items, and put what came of them into the entries, by name.

        Raises:
            Cancelled, EnvironmentBroken: these end the batch.
        """
        held = []
        for number, item in enumerate(items, start=1):
            label = f"[{number}/{len(items)}] {item.name}"
            self._next = items[number] if number < len(items) else None
            progress.report(ITEMS, len(entries) / len(self._items), label)
            entry = entries[item.name] = self._process(item, label, progress)
            if entry["state"] in (FAILED, POISONED) and self._settings.fail_fast:
                return
            if entry["state"] == HELD:
                held.append(item)
        if len(held) < len(items):  # their holders may have finished or died meanwhile
            self._process_all(held, entries, progress)

    def _process(self, item: Item, label: str, progress: Progress) -> dict[str, Any]:
        """Convert one item, unless an earlier run has finished it.

        Raises:
            Cancelled, EnvironmentBroken: these end the batch; all else is a failure of the item.
        """
        try:
            return self._convert_unless_finished(item, label, progress)
        except (Cancelled, EnvironmentBroken):
            raise
        except ItemHeld as error:
            self._log.event("held", item=item.name, error=error.to_dict())
            return self._without_status(item, HELD, error, label)
        except Exception as error:  # noqa: BLE001 - whatever it is, the next item may succeed
            known = self._known(item, error)
            self._log.event(
                "end", item=item.name, state=FAILED, error=known.to_dict(), stored=False
            )
            return self._without_status(item, FAILED, known, label)

    def _convert_unless_finished(
        self, item: Item, label: str, progress: Progress
    ) -> dict[str, Any]:
        """Convert one item, unless an earlier run has finished it.

        Raises:
            ItemHeld: if another process works on it.
        """
        fingerprint = self._fingerprint(item)
        previous = batch_items.read_status(self._run.output / item.name)
        if previous is not None and self._is_finished(item, previous, fingerprint):
            outcome = {DONE: "is done already", FAILED: "failed before", POISONED: "is set aside"}
            self._log.say(f"{label} {outcome[previous.state]}")
            state = SKIPPED if previous.state == DONE else previous.state
            return entry_of(item, replace(previous, state=state))
        if self._settings.dry_run:
            self._log.say(f"{label} would be converted")
            return entry_of(item, Status(WAITING, str(item.source), fingerprint))
        lease = self._captures.lease_ahead(item) or self._take(item, previous)
        return entry_of(item, self._convert(item, fingerprint, lease, label, progress))

    def _take(self, item: Item, previous: Status | None) -> Lease:
        """Take the lease of an item.

        Args:
            item: to be converted.
            previous: its status, read before.

        Raises:
            ItemHeld: if another process holds it, or has ended it since its status was read.
            OSError: if the item's folder cannot be written.
        """
        folder = self._run.output / item.name
        lease = take_lease(folder, previous.lease if previous is not None else 0, self._run)
        if batch_items.read_status(folder) == previous:
            return lease
        lease.withdraw()
        raise ItemHeld(
            f"{item.name} has just been converted by another process.",
            "Run the same command again later.",
        )

    def _fingerprint(self, item: Item) -> str:
        """The fingerprint of an item when it was first looked at: that is what is captured ahead.

        Raises:
            BadAsset: if it cannot be read.
        """
        if item not in self._fingerprints:
            try:
                found = batch_items.fingerprint(item.source, self._settings.digest)
            except OSError as error:
                raise BadAsset(f"{item.source} cannot be read: {error}.", "Check it.") from error
            self._fingerprints[item] = found
        return self._fingerprints[item]

    def _without_status(
        self, item: Item, state: str, error: LsrmError, label: str
    ) -> dict[str, Any]:
        """The entry of an item whose status this batch does not write, or cannot."""
        status = Status(state, str(item.source), "", error=error.to_dict())
        self._log.say(f"{label} {outcome_of(status)}")
        return entry_of(item, status)

    def _known(self, item: Item, error: Exception) -> LsrmError:
        """The error that explains to people what an item has raised."""
        if isinstance(error, OSError):
            return write_failure(self._run.output / item.name, error)
        return as_lsrm_error(error)

    def _is_finished(self, item: Item, previous: Status, fingerprint: str) -> bool:
        """Whether an earlier run has finished an item, so that it is not converted again."""
        if self._settings.force or previous.fingerprint != fingerprint:
            return False
        if previous.state == DONE:
            unchanged = batch_items.digests(previous.files) == previous.files
            return unchanged and batch_items.is_complete(self._run.output / item.name)
        return previous.state in (FAILED, POISONED) and not self._settings.retry_failed

    def _convert(
        self, item: Item, fingerprint: str, lease: Lease, label: str, progress: Progress
    ) -> Status:
        """Convert one item and store its status, which ends the lease.

        Raises:
            ItemHeld: if another process has taken it over meanwhile.
        """
        status = Status(INTERRUPTED, str(item.source), fingerprint, lease.number)
        self._log.event("start", item=item.name, source=str(item.source), lease=lease.number)
        start = time.monotonic()
        try:
            status = self._convert_with_retries(item, status, lease, progress)
        except ItemHeld:
            raise
        except (Cancelled, EnvironmentBroken) as error:
            status = replace(status, error=error.to_dict())
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the next item may succeed
            status = replace(status, state=FAILED, error=self._known(item, error).to_dict())
        finally:
            status = replace(status, seconds=round(time.monotonic() - start, 1))
            self._end(lease, status, label)
        return status

    def _end(self, lease: Lease, status: Status, label: str) -> None:
        """Store the status of an item and clean up, if its folder still belongs to this batch.

        Raises:
            ItemHeld: if another process has taken the item over.
            OSError: if the status cannot be written; then the lease is withdrawn.
        """
        lease.check()
        remove_leftovers(lease.folder)
        try:
            batch_items.write_status(lease.folder, status)
        except OSError:
            lease.withdraw()
            raise
        self._log.event(
            "end", item=lease.folder.name, state=status.state, error=status.error, stored=True
        )
        self._log.say(f"{label} {outcome_of(status)}")

    def _convert_with_retries(
        self, item: Item, status: Status, lease: Lease, progress: Progress
    ) -> Status:
        """Convert one item, again if a child process died; set it aside if too many have died."""
        deaths = lease.deaths
        if deaths:
            self._log.event("taken over", item=item.name, deaths=deaths, host=str(lease.previous))
        if deaths >= MOST_DEATHS:
            return replace(status, state=POISONED, error=_poison(deaths, lease.previous))
        for attempt in range(1, self._settings.retries + 2):
            status = replace(status, tries=attempt)
            try:
                result, files = self._capture_and_reconstruct(item, lease, progress)
            except (Cancelled, EnvironmentBroken, ItemHeld):
                raise
            except LsrmError as error:
                status = replace(status, state=FAILED, error=error.to_dict())
                if not isinstance(error, BackendDied):
                    break
                deaths += 1
                self._log.event("died", item=item.name, attempt=attempt, error=error.to_dict())
                if deaths >= MOST_DEATHS:
                    status = replace(status, state=POISONED)
            else:
                return replace(status, state=DONE, error=None, result=result, files=files)
        return status

    def _capture_and_reconstruct(
        self, item: Item, lease: Lease, progress: Progress
    ) -> tuple[dict[str, Any], dict[str, str | None]]:
        """Capture and reconstruct one item: its result, and the digests of the files it uses."""
        folder = lease.folder
        blender, backend = self._children.blender, self._children.backend
        views, output = folder / CAPTURE, folder / RESULT
        captured = self._captures.wait(item, progress)
        files = batch_items.digests(captured.get("source", {}).get("files", ()))
        lease.check()
        params = {**self._settings.reconstruct, "views": str(views), "output": str(output)}
        job = backend.submit("reconstruct", params)
        backend.pump()
        self._begin_next_capture(lease)
        report = backend.wait(job, progress, beside=blender)["report"]
        check_mesh(output / "mesh.glb")
        result = {key: report[key] for key in ("counts", "metrics", "seconds", "warnings")}
        seen = [text for text in captured.get("warnings", ()) if text not in result["warnings"]]
        return {**result, "warnings": [*seen, *result["warnings"]]}, files

    def _begin_next_capture(self, present: Lease) -> None:
        """Begin to capture the next item while this one is reconstructed, where memory allows.

        An item at which a process has died is converted alone: a second death is its own.
        """
        item, children = self._next, self._children
        if present.deaths or item is None or not fit_at_once(children.blender, children.backend):
            return
        with contextlib.suppress(Exception):  # what is wrong with the item shows at its turn
            previous = batch_items.read_status(self._run.output / item.name)
            fingerprint = self._fingerprint(item)
            if previous is None or not self._is_finished(item, previous, fingerprint):
                self._captures.begin_ahead(item, self._take(item, previous))
                self._log.event("ahead", item=item.name)

    def _summary(self, states: list[dict[str, Any]], seconds: float, code: int) -> dict[str, Any]:
        """Count the outcomes of the items, and store the summary."""
        names = (DONE, SKIPPED, FAILED, POISONED, HELD, WAITING)
        counts = {name: sum(entry["state"] == name for entry in states) for name in names}
        summary = {
            "items": states,
            "shard": str(self._run.shard),
            "total": len(self._items),
            **counts,
            "seconds": round(seconds, 1),
            "exit_code": code,
        }
        self._log.event("summary", **{**summary, "items": len(states)})
        if not self._settings.dry_run:
            batch_items.write_json(self._run.folder / SUMMARY, summary)
            if self._run.shard == WHOLE:
                batch_items.write_json(self._run.output / SUMMARY, summary)
        text = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
        left = len(self._items) - len(states)
        self._log.say(f"{text or 'nothing'}{f', {left} left' if left else ''} in {seconds:.0f} s")
        return summary


def _poison(deaths: int, holder: Holder | None) -> dict[str, str]:
    """Why an item is set aside that ended whole processes."""
    return BackendDied(
        f"{deaths} processes died while they converted it, the last one on {holder or 'unknown'}.",
        "Look at their logs; --retry-failed tries it again.",
    ).to_dict()
