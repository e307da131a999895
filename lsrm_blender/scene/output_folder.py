# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Output folders that replace only folders of the same kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...backend.shared.atomic_folder import AtomicFolder, is_empty_folder
from ...backend.shared.errors import DiskFull, OutputNotWritable

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType


class MarkedFolder(AtomicFolder):
    """An output folder that is recognized by a marker file in it.

    Args:
        destination: the folder to make or replace.
        marker: the file that only folders of this kind hold; others are never replaced.

    Raises:
        OutputNotWritable: if the destination is something else, or its parent cannot be written.
        DiskFull: if the disk is full.
    """

    def __init__(self, destination: Path, marker: str) -> None:
        super().__init__(destination)
        self._marker = marker

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        super().__exit__(kind, error, trace)
        if isinstance(error, DiskFull | OutputNotWritable):
            # The user knows the destination, not the temporary folder.
            message = error.message.replace(str(self.unfinished), str(self.destination))
            raise type(error)(message, error.remedy) from error

    def check_destination(self) -> None:
        """Refuse to replace a folder without the marker.

        Raises:
            OutputNotWritable: if the destination holds anything else.
        """
        target = self.destination
        replaceable = (target / self._marker).is_file() or is_empty_folder(target)
        if target.exists() and not replaceable:
            raise OutputNotWritable(
                f"{target} exists and has no {self._marker}, so LSRM does not replace it.",
                "Choose a new folder.",
            )
