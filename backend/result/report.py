# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a job: its stages with seconds and memory, versions, scores, warnings."""

from __future__ import annotations

import json
import logging
import platform
import sys
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from ..shared.names.asset_names import UNNAMED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ..shared.progress import Progress

LOGGER = logging.getLogger(__name__)

REPORTED_PACKAGES = ("lsrm", "torch", "numpy", "scipy", "scikit-image", "trimesh", "xatlas")


@dataclass(frozen=True)
class Stage:
    """One stage of a job.

    Attributes:
        name: as in the pipeline.
        seconds: wall time; 0 for a stage that was left out.
        peak_memory_mb: the most memory the process had held by the end of the stage, or nothing
            where the system does not say.
        peak_device_memory_mb: the most memory of a card that the stage held; nothing on a CPU.
        note: why it was left out, or what came out of it.
    """

    name: str
    seconds: float
    peak_memory_mb: int | None
    peak_device_memory_mb: int | None
    note: str = ""


@dataclass
class Report:
    """Collected while a job runs, written as `report.json` at its end.

    Attributes:
        request: the options.
        device: where it ran, as `choose_devices` takes it.
        checkpoint: name and hash of the weights, or `none`.
        name: of the asset.
        material: what the textures hold, `rgb` or `pbr`.
        light: of the views: `known`, `estimated`, or `unknown`; then it stays in the color.
        stages: in the order they ran.
        counts: of views and all their pixels, and of the vertices and faces that came out.
        levels: file, requested and actual number of triangles of every mesh, the finest first.
        files: all files of the result, relative to its folder.
        metrics: scores of the result on the input views.
        gains: factors on the linear red, green and blue of views whose exposures differ, by view.
        views: how well cameras and masks agree, `Views.to_dict`.
        up: which way is up in the world of the views, `Up.to_dict`; the mesh is turned by it.
        warnings: sentences for the artist.
    """

    request: dict[str, Any]
    device: str
    checkpoint: dict[str, str]
    name: str = UNNAMED
    material: str = "rgb"
    light: str = "unknown"
    stages: list[Stage] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    levels: list[dict[str, Any]] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    metrics: dict[str, float] = field(default_factory=dict)
    gains: dict[str, list[float]] = field(default_factory=dict)
    views: dict[str, Any] = field(default_factory=dict)
    up: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    @contextmanager
    def stage(self, name: str, progress: Progress) -> Iterator[Callable[[float], None]]:
        """Time the body as the stage `name`; it receives a function that reports a fraction."""
        progress.report(name, 0.0)
        card = Card(self.device)
        start = time.perf_counter()
        yield partial(progress.report, name)
        card.wait()
        seconds = round(time.perf_counter() - start, 3)
        self.stages.append(Stage(name, seconds, peak_memory_mb(), card.peak_mb()))
        LOGGER.info("%s: %.1f s", name, seconds)
        progress.report(name, 1.0)

    def leave_out(self, name: str, why: str) -> None:
        """Note that a stage of the paper was not run."""
        self.stages.append(Stage(name, 0.0, peak_memory_mb(), None, why))
        LOGGER.info("%s: left out, %s", name, why)

    def note(self, name: str, text: str) -> None:
        """Say what came out of a stage that was run."""
        self.stages = [
            replace(stage, note=text) if stage.name == name else stage for stage in self.stages
        ]
        LOGGER.info("%s: %s", name, text)

    def to_dict(self) -> dict[str, Any]:
        """The report as it is written."""
        return {
            **asdict(self),
            "seconds": round(sum(stage.seconds for stage in self.stages), 3),
            "versions": versions(),
        }

    def write(self, path: Path) -> None:
        """Write the report as JSON, with the names of all files that lie beside it."""
        beside = {each for each in path.parent.rglob("*") if each.is_file()} | {path}
        self.files = sorted(each.relative_to(path.parent).as_posix() for each in beside)
        path.write_text(json.dumps(self.to_dict(), indent=2) + "\n", encoding="utf-8")


def versions() -> dict[str, str]:
    """Versions of Python, the system and the packages that numbers depend on."""
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for package in REPORTED_PACKAGES:
        try:
            found[package] = version(package)
        except ModuleNotFoundError:
            continue
    return found


class Card:
    """A graphics card: the work it still has, and the most memory held since this was made.

    On a CPU there is neither.
    """

    def __init__(self, device: str) -> None:
        self._device = device.partition(",")[0] if device.startswith("cuda") else None
        if self._device:
            import torch

            if torch.cuda.is_initialized():  # else it has held nothing yet
                torch.cuda.reset_peak_memory_stats(self._device)

    def wait(self) -> None:
        """Return when the card has done all it was given: it works behind the program."""
        if self._device is None:
            return
        import torch

        if torch.cuda.is_initialized():
            torch.cuda.synchronize(self._device)

    def peak_mb(self) -> int | None:
        """The most memory held, in MiB; nothing on a CPU."""
        if self._device is None:
            return None
        import torch

        return int(torch.cuda.max_memory_allocated(self._device)) // (1 << 20)


def peak_memory_mb() -> int | None:
    """The peak memory of this process in MiB, where the system reports it."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // (1 << 20) if sys.platform == "darwin" else peak // (1 << 10)
