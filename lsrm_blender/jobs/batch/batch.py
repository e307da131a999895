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
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ....backend.shared import exit_codes
from ....backend.shared.errors import BadAsset, Cancelled, EnvironmentBroken, LsrmError
from ..farm.leases import ItemHeld, Lease, take_lease
from ..farm.shards import WHOLE
from ..job_files.progress_lines import ITEMS
from . import statuses
from .captures import Captures, fit_at_once
from .conversion import Children, Conversion, Converter, explained
from .log import HELD, SKIPPED, SUMMARY, WAITING, BatchLog, entry_of, exit_code, outcome_of
from .statuses import DONE, FAILED, POISONED, Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ....backend.shared.progress import Progress
    from ..farm.runs import Run
    from .items import Item
    from .settings import BatchSettings


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
        self._captures = Captures(children.blender, settings.capture_of, run.output)
        self._converter = Converter(settings, children, self._captures, log)

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
        states = {entry["state"] for entry in found}
        code = exit_codes.exit_code(stopped_by) if stopped_by else exit_code(states, {HELD})
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
            known = explained(error, self._run.output / item.name)
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
        previous = statuses.read_status(self._run.output / item.name)
        if previous is not None and self._is_finished(item, previous, fingerprint):
            outcome = {DONE: "is done already", FAILED: "failed before", POISONED: "is set aside"}
            self._log.say(f"{label} {outcome[previous.state]}")
            state = SKIPPED if previous.state == DONE else previous.state
            return entry_of(item, replace(previous, state=state))
        if self._settings.dry_run:
            self._log.say(f"{label} would be converted")
            return entry_of(item, Status(WAITING, str(item.source), fingerprint))
        lease = self._captures.lease_ahead(item) or self._take(item, previous)
        begin_next = functools.partial(self._begin_next_capture, lease)
        conversion = Conversion(item, fingerprint, lease, label, begin_next)
        return entry_of(item, self._converter.convert(conversion, progress))

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
        if statuses.read_status(folder) == previous:
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
                found = statuses.fingerprint(item.source, self._settings.digest)
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

    def _is_finished(self, item: Item, previous: Status, fingerprint: str) -> bool:
        """Whether an earlier run has finished an item, so that it is not converted again."""
        if self._settings.force or previous.fingerprint != fingerprint:
            return False
        if previous.state == DONE:
            unchanged = statuses.digests(previous.files) == previous.files
            folder = self._run.output / item.name
            return unchanged and statuses.is_complete(folder, previous, self._settings.files)
        return previous.state in (FAILED, POISONED) and not self._settings.retry_failed

    def _begin_next_capture(self, present: Lease) -> None:
        """Begin to capture the next item while this one is reconstructed, where memory allows.

        An item at which a process has died is converted alone: a second death is its own.
        """
        item, children = self._next, self._children
        if present.deaths or item is None or not fit_at_once(children.blender, children.backend):
            return
        with contextlib.suppress(Exception):  # what is wrong with the item shows at its turn
            previous = statuses.read_status(self._run.output / item.name)
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
            statuses.write_json(self._run.folder / SUMMARY, summary)
            if self._run.shard == WHOLE:
                statuses.write_json(self._run.output / SUMMARY, summary)
        text = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
        left = len(self._items) - len(states)
        self._log.say(f"{text or 'nothing'}{f', {left} left' if left else ''} in {seconds:.0f} s")
        return summary
