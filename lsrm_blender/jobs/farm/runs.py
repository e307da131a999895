# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs: a process that converts items of an output folder, its files, and its signs of life."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import socket
import threading
from typing import TYPE_CHECKING, Self

from .holders import this_process
from .shards import WHOLE, Shard
from .signs_of_life import HEARTBEAT, LOGS, LeaseTimes, SignsOfLife

if TYPE_CHECKING:
    from pathlib import Path

NOT_IN_NAMES = re.compile(r"[^\w.-]")
JOIN_SECONDS = 2.0


class Run:
    """A process that converts items.

    As a context manager it makes a folder of its own, so that two runs never write one file, and
    shows that it lives until the end.

    Args:
        output: the folder in which each item has a folder.
        shard: the part of the items that it converts.
        times: of its signs of life.

    Attributes:
        output: the same.
        shard: the same.
        folder: of its own files.
        holder: of its leases.
        signs: of life.
    """

    def __init__(self, output: Path, shard: Shard = WHOLE, times: LeaseTimes | None = None) -> None:
        self.output, self.shard = output, shard
        self.holder = this_process(_unique_name(shard))
        self.folder = output / LOGS / self.holder.run
        heartbeat = self.folder / HEARTBEAT
        self.signs = SignsOfLife(output, heartbeat, self.holder, times or LeaseTimes())
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep_alive, name="LSRM heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True)
        self.signs.give()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(JOIN_SECONDS)
        with contextlib.suppress(OSError):
            (self.folder / HEARTBEAT).unlink()

    def _keep_alive(self) -> None:
        """Give signs of life; runs in a thread of its own, which does nothing else."""
        while not self._ended.wait(self.signs.times.renewal):
            with contextlib.suppress(OSError):
                self.signs.give()


def _unique_name(shard: Shard) -> str:
    """A name that no other run has, on any machine."""
    host = NOT_IN_NAMES.sub("_", socket.gethostname())[:40]
    return f"{shard.number}-of-{shard.count}-{host}-{os.getpid()}-{secrets.token_hex(2)}"
