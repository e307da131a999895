# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The captures of a batch: one item ahead of the reconstruction, where memory allows."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....backend.shared.atomic_folder import UNFINISHED_SUFFIX
from ....backend.shared.errors import BadAsset, LsrmError
from ....backend.shared.machine.system_memory import available_memory
from ..job_folders import CAPTURE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ....backend.shared.progress import Progress
    from ..backend_client import Client
    from ..farm.leases import Lease
    from ..job import Job
    from .items import Item

ITEMS_PER_BLENDER = 50
"""Items after which the capturing Blender is replaced: importers do not free all memory."""

MEMORY_RESERVE = 2 << 30
"""Bytes of main memory that must stay free while two children work at once."""


class Captures:
    """Captures items in a second Blender, and begins with the next one before its turn.

    Args:
        blender: the child process that captures.
        params: of `capture`, by item.
        output: the folder in which each item has a folder.
    """

    def __init__(
        self, blender: Client, params: Callable[[Item], Mapping[str, Any]], output: Path
    ) -> None:
        self._blender = blender
        self._params = params
        self._output = output
        self._ahead: tuple[Item, Lease, Job] | None = None
        self._captured = 0

    def wait(self, item: Item, progress: Progress) -> dict[str, Any]:
        """Wait for the capture of an item, which begins now unless it was begun ahead.

        Returns:
            The content of capture.json.

        Raises:
            LsrmError: if it fails.
            OSError: if the source cannot be read.
        """
        job = self._take_ahead(item) or self._submit(item)
        captured: dict[str, Any] = self._blender.wait(job, progress)
        self._captured += 1
        if self._captured >= ITEMS_PER_BLENDER and self._ahead is None:
            self._captured = 0
            self._blender.close()
        return captured

    def begin_ahead(self, item: Item, lease: Lease) -> None:
        """Begin the capture of the next item; what is wrong with it shows at its turn.

        Args:
            item: the next item.
            lease: of the item; it is withdrawn if the capture does not begin.
        """
        if self._ahead is None and not lease.deaths:
            with contextlib.suppress(LsrmError, OSError):
                self._ahead = item, lease, self._submit(item)
                return
        _leave(lease)

    def lease_ahead(self, item: Item) -> Lease | None:
        """The lease under which an item is captured ahead, if it is."""
        return self._ahead[1] if self._ahead is not None and self._ahead[0] == item else None

    def stop_ahead(self) -> None:
        """Stop a capture that was begun ahead, and remove what it leaves."""
        if self._ahead is not None:
            lease = self._ahead[1]
            self._ahead = None
            self._blender.close()
            _leave(lease)

    def _take_ahead(self, item: Item) -> Job | None:
        if self._ahead is None or self._ahead[0] != item:
            return None
        job, self._ahead = self._ahead[2], None
        return job

    def _submit(self, item: Item) -> Job:
        folder = self._output / item.name
        remove_leftovers(folder)
        if item.source.stat().st_size == 0:
            raise BadAsset(f"{item.source.name} is empty.", "Check the file.")
        paths = {"asset": str(item.source), "output": str(folder / CAPTURE)}
        return self._blender.submit("capture", {**self._params(item), **paths})


def fit_at_once(*clients: Client) -> bool:
    """Whether free memory holds what the children took at their peaks, and a reserve.

    False where the system does not report its memory.
    """
    available = available_memory()
    children = [client.child for client in clients if client.child is not None]
    memories = [child.memory() for child in children]
    growth = sum(memory.peak - memory.used for memory in memories)
    return available is not None and available >= growth + MEMORY_RESERVE


def _leave(lease: Lease) -> None:
    """Give up an item that was not begun, or only captured; its folder stays if it holds more."""
    with contextlib.suppress(LsrmError, OSError):
        lease.check()
        remove_leftovers(lease.folder)
        lease.withdraw()
        lease.folder.rmdir()


def remove_leftovers(folder: Path) -> None:
    """Remove what killed processes have left unfinished in the folder of an item.

    The lease says that the folder belongs to this batch; locks say nothing on some network disks.
    """
    with os.scandir(folder) as entries:
        leftovers = [each for each in entries if each.name.endswith(UNFINISHED_SUFFIX)]
    for each in leftovers:
        if each.is_dir(follow_symlinks=False):
            shutil.rmtree(each.path, ignore_errors=True)
        else:
            Path(each.path).unlink(missing_ok=True)
