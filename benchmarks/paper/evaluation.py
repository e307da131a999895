# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""One object: read, reconstructed, rendered from its target views and scored."""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

from backend.pipeline import reconstruct
from backend.request import ReconstructRequest
from backend.result.comparison import difference, stacked_rows, write_picture
from backend.result.scores import chamfer_distance, over_white, read_mesh
from backend.shared.names.result_names import MESH
from backend.shared.temporary_folder import temporary_folder
from backend.views.selection import evenly

from .layouts.scene import write_inputs, write_targets
from .rendering import render_views
from .scoring import score_target

if TYPE_CHECKING:
    from pathlib import Path

    from backend.shared.progress import Progress

    from .layouts.scene import Target
    from .measures import PerceptualMeasures
    from .scoring import Scored
    from .settings import Settings

VIEWS, TARGETS, RESULT, SCRATCH = "views", "targets", "result", "scratch"
"""Folders of an object: its input views, the cameras of the target views, the result, and what the
reader of the data set wrote."""

RENDERS = "renders-"
PICTURE = "comparison.png"
SHOWN_VIEWS, SIDE_OF_CELL = 4, 384


@dataclass(frozen=True)
class Evaluation:
    """Evaluates objects.

    Attributes:
        settings: of the evaluation.
        perceptual: measures that can be taken.
    """

    settings: Settings
    perceptual: PerceptualMeasures

    def measure(self, source: Path, folder: Path, progress: Progress) -> dict[str, Any]:
        """Evaluate one object.

        Args:
            source: its folder in the data set.
            folder: of what is written of it: inputs, result, and a picture of truth, renders and
                their difference.
            progress: of the stages; may cancel.

        Returns:
            As JSON: the measures of each target view, the Chamfer distance, and what was done.

        Raises:
            LsrmError: if the object is damaged or cannot be reconstructed or rendered.
        """
        settings = self.settings
        scene = settings.layout.read(source, folder / SCRATCH)
        inputs = settings.layout.choose(scene.inputs, settings.view_count)
        write_inputs(inputs, scene.origin, folder / VIEWS)
        write_targets(scene.targets, folder / TARGETS)
        start = time.perf_counter()
        report = self._reconstruct(folder, progress).to_dict()
        seconds = time.perf_counter() - start
        scored = self._score(folder, scene.targets, progress)
        _write_comparison(list(scored.values()), folder / PICTURE)
        document = {
            "inputs": len(inputs),
            "scored_size": max(max(each.truth.shape[:2]) for each in scored.values()),
            "material": report["material"],
            "checkpoint": report["checkpoint"],
            "versions": report["versions"],
            "device": report["device"],
            "reconstruct_seconds": round(seconds, 1),
            "warnings": report["warnings"],
            "targets": {name: each.measures for name, each in scored.items()},
        }
        if scene.reference_mesh is not None:
            result, true = read_mesh(folder / RESULT / MESH), read_mesh(scene.reference_mesh)
            document["chamfer_x1e3"] = chamfer_distance(result, true)
        return document

    def _reconstruct(self, folder: Path, progress: Progress) -> Any:
        options = {**self.settings.reconstruct, "material": self.settings.material}
        request = ReconstructRequest(folder / VIEWS, folder / RESULT, **options)
        return reconstruct(request, progress)

    def _score(
        self, folder: Path, targets: tuple[Target, ...], progress: Progress
    ) -> dict[str, Scored]:
        """Render the result from all target views and score it, by the names of the views."""
        protocol = self.settings.protocol
        options = ("--samples", str(self.settings.samples), "--size", str(self._size(targets)))
        scored = {}
        with temporary_folder(folder, RENDERS) as renders:
            render_views(folder / RESULT, folder / TARGETS, renders, options, progress)
            for number, target in enumerate(targets):
                name = target.frame.name
                progress.report("score", number / len(targets), name)
                file, size = renders / f"{number:04d}.exr", protocol.score_size
                scored[name] = score_target(
                    file, target, size, self.perceptual, aligned=protocol.aligned
                )
        progress.report("score", 1.0)
        return scored

    def _size(self, targets: tuple[Target, ...]) -> int:
        """Longest side of the renders in pixels, at least that of the scored images."""
        lenses = [target.frame.intrinsics for target in targets]
        longest = max(max(lens.width, lens.height) for lens in lenses)
        scored = min(longest, self.settings.protocol.score_size)
        return max(scored, self.settings.protocol.render_size or 0)


def mean_measures(objects: list[dict[str, Any]]) -> dict[str, float]:
    """Means over all target views of all objects, and of the Chamfer distance over objects.

    A measure that one of them lacks has no mean.
    """
    views = [measures for each in objects for measures in each["targets"].values()]
    means = {
        name: fmean(measures[name] for measures in views)
        for name in (views[0] if views else ())
        if all(name in measures for measures in views)
    }
    if objects and all("chamfer_x1e3" in each for each in objects):
        means["chamfer_x1e3"] = fmean(each["chamfer_x1e3"] for each in objects)
    return means


def _write_comparison(scored: list[Scored], path: Path) -> None:
    """Write some target views with their renders and the differences, a row each."""
    shown = [scored[number] for number in evenly(len(scored), min(SHOWN_VIEWS, len(scored)))]
    rows = [
        [over_white(each.truth), over_white(each.image), difference(each.image, each.truth)]
        for each in shown
    ]
    write_picture(stacked_rows(rows, SIDE_OF_CELL), path)
