# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The captures of a batch: one item ahead of the reconstruction, where memory allows."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from ...backend.shared.atomic_folder import remove_unfinished
from ...backend.shared.errors import BadAsset, LsrmError
from ...backend.shared.system_memory import available_memory
from .batch_items import CAPTURE, RESULT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ...backend.shared.progress import Progress
    from .backend_client import Client
    from .batch_items import Item
    from .job import Job

ITEMS_PER_BLENDER = 50
"""Items after which the capturing Blender is replaced: importers do not free all memory."""

MEMORY_RESERVE = 2 << 30
"""Bytes of main memory that must stay free while two children work at once."""


class Captures:
    """Captures items in a second Blender, and begins with the next one before its turn.

    Args:
        blender: the child process that captures.
        params: of `capture`, which all items share.
        output: the folder in which each item has a folder.
    """

    def __init__(self, blender: Client, params: Mapping[str, Any], output: Path) -> None:
        self._blender = blender
        self._params = params
        self._output = output
        self._ahead: tuple[Item, Job] | None = None
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

    def begin_ahead(self, item: Item) -> None:
        """Begin the capture of the next item; what is wrong with it shows at its turn."""
        if self._ahead is None:
            with contextlib.suppress(LsrmError, OSError):
                self._ahead = item, self._submit(item)

    def stop_ahead(self) -> None:
        """Stop a capture that was begun ahead, and remove what it leaves."""
        if self._ahead is not None:
            folder = self._output / self._ahead[0].name
            self._ahead = None
            self._blender.close()
            remove_leftovers(folder)
            with contextlib.suppress(OSError):  # it stays if it holds anything
                folder.rmdir()

    def _take_ahead(self, item: Item) -> Job | None:
        if self._ahead is None or self._ahead[0] != item:
            return None
        job, self._ahead = self._ahead[1], None
        return job

    def _submit(self, item: Item) -> Job:
        folder = self._output / item.name
        remove_leftovers(folder)
        if item.source.stat().st_size == 0:
            raise BadAsset(f"{item.source.name} is empty.", "Check the file.")
        paths = {"asset": str(item.source), "output": str(folder / CAPTURE)}
        return self._blender.submit("capture", {**self._params, **paths})


def fit_at_once(*clients: Client) -> bool:
    """Whether free memory holds what the children took at their peaks, and a reserve.

    False where the system does not report its memory.
    """
    available = available_memory()
    children = [client.child for client in clients if client.child is not None]
    growth = sum(child.memory_below_peak() for child in children)
    return available is not None and available >= growth + MEMORY_RESERVE


def remove_leftovers(folder: Path) -> None:
    """Remove what a killed child process has left in an item's folder."""
    for name in (CAPTURE, RESULT):
        remove_unfinished(folder / name)
