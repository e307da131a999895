# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The result folder: what it holds, and which folders it never replaces."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from ..shared.atomic_folder import AtomicFolder
from ..shared.errors import OutputNotWritable
from ..shared.names.result_names import LITTER, REPORT, is_content

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

LOGGER = logging.getLogger("backend")


class ResultFolder(AtomicFolder):
    """The folder of a result, with the log of the job that makes it.

    Raises:
        OutputNotWritable: if the destination cannot be made, or holds files that are no result.
        DiskFull: if the disk has no room.
    """

    def __enter__(self) -> Path:
        unfinished = super().__enter__()
        self._log = logging.FileHandler(unfinished / "log.txt", encoding="utf-8", delay=True)
        self._log.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        LOGGER.addHandler(self._log)
        self._level = LOGGER.level
        LOGGER.setLevel(logging.INFO)
        return unfinished

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        LOGGER.setLevel(self._level)
        LOGGER.removeHandler(self._log)
        with suppress(OSError):  # a full disk may cut the log, but must not cost the result
            self._log.close()
        super().__exit__(kind, error, trace)

    def check_destination(self) -> None:
        """Refuse to replace anything but an earlier result.

        Raises:
            OutputNotWritable: if the destination is a file or holds other files.
        """
        if not self.destination.exists():
            return
        if not self.destination.is_dir():
            raise OutputNotWritable(
                f"{self.destination} is a file.", "Give a folder for the result."
            )
        entries = {entry.name for entry in self.destination.iterdir()} - LITTER
        is_result = REPORT in entries
        foreign = sorted(name for name in entries if not (is_result and is_content(name)))
        if foreign:
            raise OutputNotWritable(
                f"{self.destination} holds files that are no result of LSRM: {foreign[0]}.",
                "Choose an empty or a new folder.",
            )
