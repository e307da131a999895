# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A job of a child process as its parent sees it: the request, its progress, its outcome."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ...backend.shared.errors import LsrmError
    from ...backend.shared.live.preview_files import PreviewFiles

REPORT_INTERVAL = 1.0
"""Seconds between two lines of a terminal about the same stage."""


@dataclass(frozen=True)
class JobProgress:
    """How far a job is.

    Attributes:
        stage: its name.
        fraction: of the stage, 0..1.
        message: a detail of the stage.
    """

    stage: str = ""
    fraction: float = 0.0
    message: str = ""

    @classmethod
    def from_params(cls, params: dict[str, Any]) -> JobProgress:
        """From the parameters of a progress notification.

        Raises:
            ValueError, TypeError: if one of them has another type.
        """
        return cls(
            str(params.get("stage", "")),
            float(params.get("fraction", 0.0)),
            str(params.get("message", "")),
        )

    def is_worth_reporting(self, reported: JobProgress, seconds: float) -> bool:
        """Whether a terminal should show it, so long after what it shows: every new stage at once.

        Args:
            reported: what it shows.
            seconds: since then.
        """
        if self.stage != reported.stage:
            return True
        return self != reported and seconds > REPORT_INTERVAL


class Job:
    """A request to a child, and its outcome.

    Attributes:
        id: of the request.
        method: of the request.
        params: of the request.
        progress: how far it is.
        preview: the last one of what it makes, if there is any.
        result: the child's answer, once it is there.
        error: why there is none.
        finished: whether there is a result or an error.
        cancelled_at: when the cancel was requested, on the client's clock.
        stage_since: when the stage began, on the client's clock.
    """

    def __init__(self, identity: int, method: str, params: dict[str, Any]) -> None:
        self.id = identity
        self.method = method
        self.params = params
        self.progress = JobProgress()
        self.preview: PreviewFiles | None = None
        self.result: Any = None
        self.error: LsrmError | None = None
        self.finished = False
        self.cancelled_at: float | None = None
        self.stage_since = 0.0

    def fail(self, error: LsrmError) -> None:
        """End it without a result."""
        self.error, self.finished = error, True
