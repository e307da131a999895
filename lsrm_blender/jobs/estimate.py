# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a job will take and what room it needs, before it starts.

The formulas hold for two cores of a processor; each job that ends corrects them for this computer.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...backend.shared.time_left import TYPICAL_SECONDS
from .checkpoints import NONE

if TYPE_CHECKING:
    from pathlib import Path

    from .quality import Quality

OPENING = 4.0
"""Seconds until the second Blender has opened a file and measured the object."""

PER_VIEW = 0.3
PER_SAMPLE, PER_PIXEL = 0.33e-6, 4.2e-6
"""Seconds of a view, of a path of Cycles, and of a pixel that is denoised and stored."""

NETWORK_STAGES = ("dense stage", "selection", "routing", "sparse stage")
WITHOUT_NETWORK = ("hull", "stereo")
FITTING = ("stereo", "refine")
"""Stages that a reconstruction leaves out without refinement."""

PER_VIEW_PIXEL = ("views", "texture", "materials")
"""Stages whose time grows with the pixels of the views."""

TYPICAL_PIXELS = 16 * 256**2
GROWTH = 0.7
"""Exponent of that growth: a part of these stages is the same for all sizes."""

CAPTURED, PRODUCED = 4.0, 300e6
"""Bytes of a pixel of a view on disk; bytes of a result with its textures, and of a copy of the
scene."""

REMESHING, PER_FACE = 8.0, 0.6e-3
"""Seconds of a mesh of quads, and of each triangle that it is made of."""

LOADED, WORKING = 16.0, 1.5e9
"""Bytes of a pixel of a view in memory; bytes of all else while a shape is fitted."""

MOST_LOADED = 1e9
"""Bytes of views in memory: of more, each is smaller there."""

TRUSTED = 30.0
"""Seconds of a job that counts half in what is known of a computer: the start of processes, which
is slower the first time, is most of a short one."""


@dataclass(frozen=True)
class Workload:
    """A job as its settings describe it.

    Attributes:
        quality: of capture and reconstruction.
        checkpoint: the name of the weights.
        quads: whether a mesh of quads is made of the result.
    """

    quality: Quality
    checkpoint: str = NONE
    quads: bool = False

    @property
    def pixels(self) -> float:
        """Of all views."""
        return float(self.quality.view_count * self.quality.view_size**2)

    @property
    def disk(self) -> float:
        """Bytes that capture and result need."""
        return CAPTURED * self.pixels + PRODUCED

    @property
    def memory(self) -> float:
        """Bytes of main memory that a reconstruction without a network needs."""
        return WORKING + min(LOADED * self.pixels, MOST_LOADED)

    @property
    def capture_kind(self) -> str:
        """Under which the costs of captures are learned."""
        return "capture"

    @property
    def reconstruct_kind(self) -> str:
        """Under which the costs of such reconstructions are learned."""
        return f"reconstruct {self.checkpoint} {self.quality.refine}"

    @property
    def quads_kind(self) -> str:
        """Under which the costs of quads are learned."""
        return "quads"

    @property
    def capture_seconds(self) -> float:
        """Of the capture, on two cores."""
        per_pixel = PER_SAMPLE * self.quality.samples + PER_PIXEL
        return OPENING + PER_VIEW * self.quality.view_count + per_pixel * self.pixels

    @property
    def reconstruct_seconds(self) -> float:
        """Of the reconstruction, on two cores."""
        left_out = set(NETWORK_STAGES if self.checkpoint == NONE else WITHOUT_NETWORK)
        if self.quality.refine == "off":
            left_out.update(FITTING)
        growth = max(self.pixels / TYPICAL_PIXELS, 1e-3) ** GROWTH
        return sum(
            seconds * (growth if stage in PER_VIEW_PIXEL else 1.0)
            for stage, seconds in TYPICAL_SECONDS["reconstruct"].items()
            if stage not in left_out
        )

    @property
    def quads_seconds(self) -> float:
        """Of the mesh of quads, if it is wanted, on two cores."""
        return REMESHING + PER_FACE * self.quality.faces if self.quads else 0.0


class LearnedCosts:
    """How much slower or faster this computer is than the formulas say, by the kind of job.

    Args:
        path: of a JSON file, which need not be there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._factors = _read(path)

    def seconds(self, kind: str, formula: float) -> float:
        """The seconds to expect of a job."""
        return formula * self._factors.get(kind, 1.0)

    def learn(self, kind: str, formula: float, spent: float) -> None:
        """Store what a job has taken; a folder that cannot be written is no error."""
        weight = formula / (formula + TRUSTED)
        known, found = self._factors.get(kind, 1.0), spent / max(formula, 1e-3)
        self._factors[kind] = known ** (1.0 - weight) * found**weight
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_text(json.dumps(self._factors), "utf-8")
        except OSError:
            return


def _read(path: Path) -> dict[str, float]:
    """The factors in a file; none if it is missing or damaged."""
    try:
        stored = json.loads(path.read_text("utf-8"))
        factors = {str(kind): float(factor) for kind, factor in stored.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
    return {kind: each for kind, each in factors.items() if each > 0.0 and math.isfinite(each)}
