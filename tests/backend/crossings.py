# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which modules touch tensors of the CPU while the simulated GPU computes, and which may."""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from pathlib import Path

from backend.shared.progress import Progress

ROOT = Path(__file__).parents[2]


class Crossings(Progress):
    """Which modules read or make tensors of the CPU, by stage."""

    def __init__(self) -> None:
        super().__init__()
        self.stage = "views"
        self.modules: dict[str, set[str]] = defaultdict(set)

    def report(self, stage: str, fraction: float, message: str = "") -> None:
        """Remember the stage that runs."""
        self.stage = stage
        super().report(stage, fraction, message)

    def note(self, _operation: object) -> None:
        """Note the module of LSRM whose code is at work."""
        frame = sys._getframe()
        while frame and not _is_ours(Path(frame.f_code.co_filename)):
            frame = frame.f_back
        if frame:
            module = Path(frame.f_code.co_filename).relative_to(ROOT)
            self.modules[self.stage].add(module.as_posix())


def _is_ours(path: Path) -> bool:
    return path.is_relative_to(ROOT / "backend") or path.is_relative_to(ROOT / "kernels")


def listed_crossings() -> set[str]:
    """The modules that the page on architecture lists."""
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    section = page.partition("### What stays on the CPU")[2].partition("\n#")[0]
    return set(re.findall(r"`((?:backend|kernels)/[\w/]+\.py)`", section))
