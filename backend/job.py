# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all stages of a reconstruction share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .setup.device import choose_devices

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    import torch

    from .materials.light_transport import Light
    from .mesh.live_preview import LivePreview
    from .request import ReconstructRequest
    from .result.report import Report
    from .shared.cameras import Normalization
    from .shared.progress import Progress
    from .views.views import Views


@dataclass(frozen=True)
class Job:
    """What all stages of a reconstruction share.

    Attributes:
        request: the options.
        views: the checked views.
        normalization: from the world of the views into the sphere of radius 0.5.
        light: of the views, if it is known.
        report: receives stages, counts and warnings.
        progress: receives fractions of stages, and is checked for a cancel.
        preview: shows what there is so far, if somebody watches.
    """

    request: ReconstructRequest
    views: Views
    normalization: Normalization
    light: Light | None
    report: Report
    progress: Progress
    preview: LivePreview | None = None

    @property
    def device(self) -> torch.device:
        """Where the stages compute; of several devices, which share the network, the first."""
        return choose_devices(self.report.device)[0]

    def stage(self, name: str) -> AbstractContextManager[Callable[[float], None]]:
        """Time the body as a stage; it receives a function that reports its fraction."""
        return self.report.stage(name, self.progress)
