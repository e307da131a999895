# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signs of life on a shared folder, and when a holder of leases counts as gone.

A process shows that it lives by writing its heartbeat file. Ages are differences between
modification times of one file system, so the clocks of the machines may differ.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .holders import Holder

if TYPE_CHECKING:
    from pathlib import Path

LOGS, HEARTBEAT = "logs", "heartbeat"


@dataclass(frozen=True)
class LeaseTimes:
    """When a holder counts as gone of which nothing else is known, in seconds.

    Attributes:
        renewal: from one sign of life to the next.
        silence: after the last sign of life. A file server that restarts must not cost an item, and
            network file systems show a change up to a minute late.
    """

    renewal: float = 30.0
    silence: float = 600.0


class SignsOfLife:
    """Gives signs of life, and looks at those of others.

    Args:
        output: the folder of a batch.
        heartbeat: the file of the calling process, written at each sign.
        holder: the calling process.
        times: how often, and for how long silence is accepted.

    Attributes:
        times: the same.
    """

    def __init__(self, output: Path, heartbeat: Path, holder: Holder, times: LeaseTimes) -> None:
        self.times = times
        self._logs = output / LOGS
        self._heartbeat = heartbeat
        self._sign = json.dumps(vars(holder)) + "\n"

    def give(self) -> None:
        """Show that the calling process lives.

        Raises:
            OSError: if the folder cannot be written.
        """
        self._heartbeat.write_text(self._sign, "utf-8")

    def is_gone(self, holder: Holder | None, lease: Path) -> bool:
        """Whether the holder of a lease is dead, or has been silent for long.

        Args:
            holder: None if the lease does not say.
            lease: its file; taking a lease is a sign of life, too.

        Raises:
            OSError: if the folder cannot be written.
        """
        if holder is not None and holder.is_dead:
            return True
        signs = [modified(lease)]
        if holder is not None:
            signs.append(modified(self._logs / holder.run / HEARTBEAT))
        known = [sign for sign in signs if sign is not None]
        if not known:  # it has ended meanwhile
            return False
        self.give()
        now = modified(self._heartbeat)
        return now is not None and now - max(known) > self.times.silence


def modified(path: Path) -> float | None:
    """When a file was modified, on the clock of its file system; None if there is no such file.

    It is opened, because only then a network file system looks at the file of the server.
    """
    try:
        with path.open("rb") as file:
            return os.fstat(file.fileno()).st_mtime
    except OSError:
        return None


def read_heartbeat(run: Path) -> Holder | None:
    """The process of a run that has not ended by itself; None if it has."""
    try:
        return Holder(**json.loads((run / HEARTBEAT).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None
