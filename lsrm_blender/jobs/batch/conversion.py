# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The conversion of one item under its lease: capture, reconstruction, and what came of them."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ....backend.shared.errors import (
    BackendDied,
    Cancelled,
    EnvironmentBroken,
    LsrmError,
    as_lsrm_error,
    write_failure,
)
from ..farm.leases import ItemHeld
from ..mesh_check import check_mesh
from .captures import remove_leftovers
from .log import outcome_of
from .products import make_products
from .statuses import (
    DONE,
    FAILED,
    INTERRUPTED,
    MESH,
    POISONED,
    Status,
    digests,
    write_status,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ....backend.shared.progress import Progress
    from ..backend_client import Client
    from ..farm.holders import Holder
    from ..farm.leases import Lease
    from .captures import Captures
    from .items import Item
    from .log import BatchLog
    from .settings import BatchSettings

MOST_DEATHS = 2
"""An item at which that many processes died, one after the other, is set aside."""


@dataclass(frozen=True)
class Children:
    """The child processes of a batch.

    Attributes:
        blender: captures.
        backend: reconstructs.
    """

    blender: Client
    backend: Client


@dataclass(frozen=True)
class Conversion:
    """One item that is to be converted.

    Attributes:
        item: the file and its name.
        fingerprint: of the file and the settings.
        lease: of the item.
        label: of the item, for people.
        begin_next: is called when the item is captured, and its reconstruction has begun.
    """

    item: Item
    fingerprint: str
    lease: Lease
    label: str
    begin_next: Callable[[], None]


class Converter:
    """Converts items with the child processes of a batch.

    Args:
        settings: how they are converted.
        children: the child processes.
        captures: of the items.
        log: receives every event.
    """

    def __init__(
        self, settings: BatchSettings, children: Children, captures: Captures, log: BatchLog
    ) -> None:
        self._settings = settings
        self._children = children
        self._captures = captures
        self._log = log

    def convert(self, conversion: Conversion, progress: Progress) -> Status:
        """Convert one item and store its status, which ends the lease.

        Raises:
            ItemHeld: if another process has taken it over meanwhile.
            Cancelled, EnvironmentBroken: these end the batch; the item is marked as interrupted.
            OSError: if the status cannot be written.
        """
        item, lease = conversion.item, conversion.lease
        status = Status(INTERRUPTED, str(item.source), conversion.fingerprint, lease.number)
        self._log.event("start", item=item.name, source=str(item.source), lease=lease.number)
        start = time.monotonic()
        try:
            status = self._convert_with_retries(conversion, status, progress)
        except ItemHeld:
            raise
        except (Cancelled, EnvironmentBroken) as error:
            status = replace(status, error=error.to_dict())
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the next item may succeed
            known = explained(error, lease.folder)
            status = replace(status, state=FAILED, error=known.to_dict())
        finally:
            status = replace(status, seconds=round(time.monotonic() - start, 1))
            self._end(conversion, status)
        return status

    def _end(self, conversion: Conversion, status: Status) -> None:
        """Store the status of an item and clean up, if its folder still belongs to this batch.

        Raises:
            ItemHeld: if another process has taken the item over.
            OSError: if the status cannot be written; then the lease is withdrawn.
        """
        lease = conversion.lease
        lease.check()
        remove_leftovers(lease.folder)
        try:
            write_status(lease.folder, status)
        except OSError:
            lease.withdraw()
            raise
        self._log.event(
            "end", item=lease.folder.name, state=status.state, error=status.error, stored=True
        )
        self._log.say(f"{conversion.label} {outcome_of(status)}")

    def _convert_with_retries(
        self, conversion: Conversion, status: Status, progress: Progress
    ) -> Status:
        """Convert one item, again if a child process died; set it aside if too many have died."""
        item, lease = conversion.item, conversion.lease
        deaths = lease.deaths
        if deaths:
            self._log.event("taken over", item=item.name, deaths=deaths, host=str(lease.previous))
        if deaths >= MOST_DEATHS:
            return replace(status, state=POISONED, error=_poison(deaths, lease.previous))
        for attempt in range(1, self._settings.retries + 2):
            status = replace(status, tries=attempt)
            try:
                result, files = self._capture_and_reconstruct(conversion, progress)
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
        self, conversion: Conversion, progress: Progress
    ) -> tuple[dict[str, Any], dict[str, str | None]]:
        """Capture and reconstruct one item: its result, and the digests of the files it uses."""
        folder = conversion.lease.folder
        blender, backend = self._children.blender, self._children.backend
        captured = self._captures.wait(conversion.item, progress)
        files = digests(captured.get("source", {}).get("files", ()))
        conversion.lease.check()
        job = backend.submit(*self._settings.backend_job(folder))
        backend.pump()
        conversion.begin_next()
        report = backend.wait(job, progress, beside=blender)["report"]
        if MESH in self._settings.files:
            check_mesh(folder / MESH)
        made, notes = make_products(self._settings.products, folder, blender, progress)
        result = {key: report[key] for key in ("counts", "metrics", "seconds", "warnings")}
        seen = [text for text in captured.get("warnings", ()) if text not in result["warnings"]]
        result["warnings"] = [*seen, *result["warnings"], *notes]
        self._settings.clean_up(folder)
        return {**result, **({"products": made} if made else {})}, files


def explained(error: Exception, folder: Path) -> LsrmError:
    """The error that explains to people what an item has raised.

    Args:
        error: what was raised.
        folder: of the item.
    """
    return write_failure(folder, error) if isinstance(error, OSError) else as_lsrm_error(error)


def _poison(deaths: int, holder: Holder | None) -> dict[str, str]:
    """Why an item is set aside that ended whole processes."""
    return BackendDied(
        f"{deaths} processes died while they converted it, the last one on {holder or 'unknown'}.",
        "Look at their logs; --retry-failed tries it again.",
    ).to_dict()
