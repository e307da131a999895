# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the stages of a job will take and what room it needs, before it starts.

The formulas hold for two cores of a processor; each job that ends corrects them for this computer.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...backend.shared.checkpoint_folders import NONE
from .time_left import STARTING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .quality import Quality

TYPICAL_SECONDS = {
    STARTING: 0.5,
    "masks": 0.5,
    "views": 0.5,
    "dense stage": 10.0,
    "selection": 1.0,
    "routing": 1.0,
    "sparse stage": 15.0,
    "hull": 1.0,
    "stereo": 15.0,
    "refine": 35.0,
    "mesh": 1.5,
    "materials": 10.0,
    "texture": 6.0,
    "write": 3.0,
}
"""Of the stages of a reconstruction, in their order."""

CAPTURE, IMPORT, QUADS = "capture", "import", "quads"
"""Under which the costs of captures, of imports and of quads are learned."""

CAPTURE_START, IMPORTING = 2.0, 1.0
"""Seconds until the second Blender answers, and in which it prepares a result."""

OPENING, MEASURING = 0.5, 3.5
"""Seconds in which the second Blender opens a file, and measures the object."""

PER_VIEW = 0.3
PER_SAMPLE, PER_PIXEL = 0.33e-6, 4.2e-6
"""Seconds of a view, of a path of Cycles, and of a pixel that is denoised and stored."""

NETWORK_STAGES = ("dense stage", "selection", "routing", "sparse stage")
WITHOUT_NETWORK = ("hull", "stereo")
FITTING = ("stereo", "refine")
"""Stages that a reconstruction leaves out without refinement."""

PER_VIEW_PIXEL = ("views", "texture")
"""Stages whose time grows with the pixels of the views."""

TYPICAL_PIXELS = 16 * 256**2
TYPICAL_TEXTURE = 2048
PER_FACE = 5e-5
"""Seconds of the mesh for each of its triangles."""

MATERIAL_SIZE, MATERIAL_FACES = 160, 60_000
"""Pixels of a view's side below which materials are estimated at fewer points, and triangles of the
mesh above which they are estimated at more."""

GROWTH = 0.7
"""Exponent of that growth: a part of these stages is the same for all sizes."""

CAPTURED, PRODUCED = 4.0, 300e6
"""Bytes of a pixel of a view on disk; bytes of a result with its textures, and of a copy of the
scene."""

REMESHING, REMESHING_PER_FACE = 8.0, 0.6e-3
"""Seconds of a mesh of quads, and of each triangle that it is made of."""

LOADED, WORKING = 16.0, 1.5e9
"""Bytes of a pixel of a view in memory; bytes of all else while a shape is fitted."""

MOST_LOADED = 1e9
"""Bytes of views in memory: of more, each is smaller there."""

IMPORT_STAGES = {STARTING: IMPORTING}
"""Seconds of the import of a result, on two cores."""

TRUSTED = 3.0
"""Seconds of a stage that counts half in what is known of a computer: a short one says little."""

SHORTEST = 0.05
"""The least seconds of a stage that are measured: progress is looked at ten times a second."""


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
    def reconstruct_kind(self) -> str:
        """Under which the costs of such reconstructions are learned."""
        return f"reconstruct {self.checkpoint}"

    @property
    def capture_stages(self) -> dict[str, float]:
        """Seconds of the stages of the capture, on two cores."""
        per_pixel = PER_SAMPLE * self.quality.samples + PER_PIXEL
        capture = PER_VIEW * self.quality.view_count + per_pixel * self.pixels
        before = {STARTING: CAPTURE_START, "open": OPENING, "measure": MEASURING}
        return {**before, "capture": capture}

    @property
    def reconstruct_stages(self) -> dict[str, float]:
        """Seconds of the stages of the reconstruction in their order, on two cores."""
        left_out = set(NETWORK_STAGES if self.checkpoint == NONE else WITHOUT_NETWORK)
        if self.quality.refine == "off":
            left_out.update(FITTING)
        growth = max(self.pixels / TYPICAL_PIXELS, 1e-3) ** GROWTH
        stages = {
            stage: seconds * (growth if stage in PER_VIEW_PIXEL else 1.0)
            for stage, seconds in TYPICAL_SECONDS.items()
            if stage not in left_out
        }
        stages["mesh"] += PER_FACE * self.quality.faces
        points = min(1.0, (self.quality.view_size / MATERIAL_SIZE) ** 2)
        stages["materials"] *= max(points, self.quality.faces / MATERIAL_FACES)
        if self.quality.texture_size != "auto":
            stages["write"] *= (int(self.quality.texture_size) / TYPICAL_TEXTURE) ** GROWTH
        return stages

    @property
    def quads_stages(self) -> dict[str, float]:
        """Seconds of the stages of the mesh of quads, if it is wanted, on two cores."""
        if not self.quads:
            return {}
        return {QUADS: REMESHING + REMESHING_PER_FACE * self.quality.faces}


class LearnedCosts:
    """How much slower or faster this computer is than the formulas say, by the stage of a job.

    Args:
        path: of a JSON file, which need not be there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._factors = _read(path)

    def seconds(self, kind: str, formula: Mapping[str, float]) -> dict[str, float]:
        """The seconds to expect of the stages of a step.

        Args:
            kind: of the step.
            formula: seconds of its stages on two cores.
        """
        return {
            stage: seconds * self._factors.get(_key(kind, stage), 1.0)
            for stage, seconds in formula.items()
        }

    def learn(self, kind: str, formula: Mapping[str, float], spent: Mapping[str, float]) -> None:
        """Store what the stages of a step have taken; a folder that cannot be written is no error.

        Args:
            kind: of the step.
            formula: seconds of its stages on two cores; others are not stored.
            spent: seconds that its stages have taken.
        """
        for stage in formula.keys() & spent.keys():
            key, expected = _key(kind, stage), max(formula[stage], SHORTEST)
            weight = expected / (expected + TRUSTED)
            known, found = self._factors.get(key, 1.0), max(spent[stage], SHORTEST) / expected
            self._factors[key] = known ** (1.0 - weight) * found**weight
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_text(json.dumps(self._factors), "utf-8")
        except OSError:
            return


def _key(kind: str, stage: str) -> str:
    """The name of a stage's factor in the file."""
    return f"{kind}/{stage}"


def _read(path: Path) -> dict[str, float]:
    """The factors in a file; none if it is missing or damaged."""
    try:
        stored = json.loads(path.read_text("utf-8"))
        factors = {str(kind): float(factor) for kind, factor in stored.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
    return {kind: each for kind, each in factors.items() if each > 0.0 and math.isfinite(each)}
