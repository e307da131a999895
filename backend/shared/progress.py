# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress reports of a job, and its cancellation."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol, TypeVar

from .errors import Cancelled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Item = TypeVar("Item")


def ignore_progress(_fraction: float) -> None:
    """Receive the fraction done where nothing reports it."""


class ProgressListener(Protocol):
    """A function that receives progress reports: of a progress bar, a pipe, a test."""

    def __call__(self, stage: str, fraction: float, message: str) -> None:
        """Receive one report.

        Args:
            stage: of the job.
            fraction: of the stage that is done, 0..1.
            message: for people; may be empty.
        """


class PreviewListener(Protocol):
    """A function that receives the files of previews."""

    def __call__(self, mesh: str, picture: str) -> None:
        """Receive one preview.

        Args:
            mesh: path of a coarse mesh.
            picture: path of a small picture.
        """


class Progress:
    """Passes on the reports of one job, and cancels it.

    `cancel` may be called from another thread; the job calls `report` or `check` regularly.

    Args:
        listener: receives the reports; without one they are dropped.
        preview_listener: receives previews of what the job makes; without one they are dropped.
    """

    def __init__(
        self,
        listener: ProgressListener | None = None,
        preview_listener: PreviewListener | None = None,
    ) -> None:
        self._listener, self._preview_listener = listener, preview_listener
        self._cancelled = threading.Event()

    def report(self, stage: str, fraction: float, message: str = "") -> None:
        """Report the fraction of a stage that is done, clipped to 0..1.

        Raises:
            Cancelled: if `cancel` was called.
        """
        self.check()
        if self._listener is not None:
            self._listener(stage, min(max(fraction, 0.0), 1.0), message)

    def each(
        self,
        stage: str,
        items: Iterable[Item],
        count: int,
        span: tuple[float, float] = (0.0, 1.0),
        message: str = "",
    ) -> Iterator[Item]:
        """Items, one by one; in front of each it is reported how many are done.

        Args:
            stage: of the job.
            items: of equal work.
            count: their number.
            span: fractions of the stage at which they begin and end.
            message: for people; may be empty.

        Raises:
            Cancelled: if `cancel` was called.
        """
        first, last = span
        for number, item in enumerate(items):
            self.report(stage, first + (last - first) * number / count, message)
            yield item

    def show_preview(self, mesh: str, picture: str) -> None:
        """Pass on that the files of a preview have been written.

        Raises:
            Cancelled: if `cancel` was called.
        """
        self.check()
        if self._preview_listener is not None:
            self._preview_listener(mesh, picture)

    def cancel(self) -> None:
        """Make the next `report` or `check` raise `Cancelled`."""
        self._cancelled.set()

    def check(self) -> None:
        """Raise if the job was cancelled.

        Raises:
            Cancelled: if `cancel` was called.
        """
        if self._cancelled.is_set():
            raise Cancelled("The job was cancelled.", "Start it again when you are ready.")
