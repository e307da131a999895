# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics and pictures of a phase: JSON lines and PNGs, TensorBoard where it is installed."""

from __future__ import annotations

import importlib.util
import json
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ..shared.atomic_folder import write_file_atomically

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

METRICS = "metrics.jsonl"
PICTURES = "pictures"
NOVEL_VIEWS = "novel-views.json"


class PhaseLog:
    """Writes what can be looked at while a phase runs.

    Args:
        folder: of the phase.
        step: the first one that will be written; what a stopped process wrote of later ones is
            removed.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self._folder, self._pictures = folder, folder / PICTURES
        self._pictures.mkdir(parents=True, exist_ok=True)
        self._path = folder / METRICS
        _keep_until(self._path, step)
        self._board = _board(folder, step)

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Write the metrics of a step."""
        line = json.dumps({"step": step, **values})
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(name, value, step)

    def picture(self, step: int, image: Tensor) -> None:
        """Write a picture [3, height, width] in 0..1."""
        pixels = (image.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
        Image.fromarray(np.ascontiguousarray(pixels)).save(self._pictures / f"{step:08}.png")
        if self._board is not None:
            self._board.add_image("views", image.clamp(0, 1), step)

    def novel_views(self, decibels: float | None) -> None:
        """Write how well held-out views are predicted once all steps are taken."""
        write_file_atomically(self._folder / NOVEL_VIEWS, json.dumps(decibels).encode())

    def close(self) -> None:
        """Finish writing."""
        if self._board is not None:
            self._board.close()


def read_metrics(folder: Path) -> list[dict[str, float]]:
    """The metrics of a phase, line by line; none if there are none yet."""
    path = folder / METRICS
    lines = path.read_text("utf-8").splitlines() if path.is_file() else []
    return [json.loads(line) for line in lines]


def read_novel_views(folder: Path) -> float | None:
    """The mean PSNR of held-out views at the end of a phase, in decibels; None if it has none."""
    path = folder / NOVEL_VIEWS
    found: float | None = json.loads(path.read_text("utf-8")) if path.is_file() else None
    return found


def _keep_until(path: Path, step: int) -> None:
    """Remove the lines of a step and of later ones."""
    if path.is_file():
        lines = path.read_text("utf-8").splitlines(keepends=True)
        whole = [line for line in lines if line.endswith("\n")]
        kept = [line for line in whole if json.loads(line)["step"] < step]
        path.write_text("".join(kept), "utf-8")


def _board(folder: Path, step: int) -> Any:
    """A writer of TensorBoard's files, or None where the extra `train` is not installed."""
    if importlib.util.find_spec("tensorboard") is None:
        return None
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder / "tensorboard"), purge_step=step)
