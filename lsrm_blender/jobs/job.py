# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Work for a child, as its parent sees it: what was asked, how far it is, what became of it.

No bpy in here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ...backend.shared.errors import LsrmError


@dataclass(frozen=True)
class JobProgress:
    """Where a job is: the whole, the stage, the detail.

    Attributes:
        stage: its name.
        fraction: of the stage, 0..1.
        message: what is done just now.
        overall: of the job, 0..1.
        eta: seconds to the end of the job, if known.
    """

    stage: str = ""
    fraction: float = 0.0
    message: str = ""
    overall: float = 0.0
    eta: float | None = None

    @classmethod
    def of(cls, params: dict[str, Any]) -> JobProgress:
        """From a progress message.

        Raises:
            ValueError, TypeError: if it holds something else.
        """
        eta = params.get("eta")
        return cls(
            str(params.get("stage", "")),
            float(params.get("fraction", 0.0)),
            str(params.get("message", "")),
            float(params.get("overall", 0.0)),
            None if eta is None else float(eta),
        )


class Job:
    """Work for a child, and what became of it.

    Attributes:
        method: what to do.
        params: with what.
        progress: how far it is.
        result: the child's answer, once it is there.
        error: why there is none.
        finished: whether one of the two is there.
        cancelled_at: when it was asked to stop, on the client's clock.
        stage_since: when its stage began, on the client's clock.
    """

    def __init__(self, identity: int, method: str, params: dict[str, Any]) -> None:
        self.id = identity
        self.method = method
        self.params = params
        self.progress = JobProgress()
        self.result: Any = None
        self.error: LsrmError | None = None
        self.finished = False
        self.cancelled_at: float | None = None
        self.stage_since = 0.0
