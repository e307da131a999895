# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Leases: of all processes that share an output folder, one at a time works on an item.

The leases of an item are the files `lease-1.json`, `lease-2.json` … in its folder. The newest one
counts, and it has ended when the item's status names its number. A lease is taken by making the
next file, exclusively; so of several processes that find a dead holder, one succeeds. Files of
leases are never renamed or written again, and none below the newest is ever removed: what a process
saw a while ago cannot mislead it. This needs no locks, and nothing of a file system but exclusive
creation, which network file systems have.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ....backend.shared.errors import LsrmError
from .holders import Holder

if TYPE_CHECKING:
    from pathlib import Path

    from .runs import Run


class ItemHeld(LsrmError):
    """Another process works on an item."""


@dataclass(frozen=True)
class Lease:
    """The right to work on an item.

    Attributes:
        folder: of the item.
        number: of the lease, counted from 1 for each item.
        deaths: how many holders have died at the item, one after the other, up to this lease.
        previous: the last one that died; None if there is none or its lease does not say.
    """

    folder: Path
    number: int
    deaths: int = 0
    previous: Holder | None = None

    def check(self) -> None:
        """Raise if another process has taken over the item, because this one was silent for long.

        Raises:
            ItemHeld: then the item's folder belongs to that process.
        """
        path = lease_path(self.folder, self.number + 1)
        if path.exists():
            raise _held(self.folder, _read(path)[0])

    def withdraw(self) -> None:
        """Remove the lease, if the status that ends it cannot be written.

        Raises:
            OSError: if it cannot be removed.
        """
        lease_path(self.folder, self.number).unlink(missing_ok=True)


def take_lease(folder: Path, ended: int, run: Run) -> Lease:
    """Take the lease of an item, unless its holder lives.

    Args:
        folder: of the item; made if it is missing.
        ended: the number of the lease that the item's status names, or 0.
        run: that takes it.

    Raises:
        ItemHeld: if another process holds the lease, or was faster.
        OSError: if the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    newest, deaths, previous = newest_lease(folder, ended), 0, None
    if newest > ended:
        previous, earlier_deaths = _read(lease_path(folder, newest))
        if not run.signs.is_gone(previous, lease_path(folder, newest)):
            raise _held(folder, previous)
        deaths = earlier_deaths + 1
    lease = Lease(folder, newest + 1, deaths, previous)
    _create(lease, run.holder)
    return lease


def newest_lease(folder: Path, ended: int) -> int:
    """The number of an item's newest lease; `ended` if there is none after that one."""
    newest = ended
    while lease_path(folder, newest + 1).exists():
        newest += 1
    return newest


def read_holder(folder: Path, number: int) -> Holder | None:
    """The holder of a lease; None if it is missing or unfinished."""
    return _read(lease_path(folder, number))[0]


def _create(lease: Lease, holder: Holder) -> None:
    """Make the file of a lease, if no other process has.

    Raises:
        ItemHeld: if another process was faster.
        OSError: if it cannot be written; then it is not there.
    """
    path = lease_path(lease.folder, lease.number)
    content = json.dumps({**vars(holder), "deaths": lease.deaths}) + "\n"
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError as error:
        raise _held(lease.folder, _read(path)[0]) from error
    try:
        with os.fdopen(file, "w", encoding="utf-8") as stream:
            stream.write(content)
    except OSError:
        lease.withdraw()
        raise


def _read(path: Path) -> tuple[Holder | None, int]:
    """The holder of a lease, and the deaths before it; None and 0 if it is being written."""
    try:
        content = json.loads(path.read_text("utf-8"))
        deaths = int(content.pop("deaths"))
        return Holder(**content), deaths
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None, 0


def _held(folder: Path, holder: Holder | None) -> ItemHeld:
    return ItemHeld(
        f"{folder.name} is held by {holder or 'another process'}.",
        "Run the same command again later.",
    )


def lease_path(folder: Path, number: int) -> Path:
    """The file of a lease."""
    return folder / f"lease-{number}.json"
