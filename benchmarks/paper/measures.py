# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures that need what LSRM does not bring: FLIP a package, LPIPS a file with weights."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from backend.result.flip_scores import mean_flip
from backend.shared.errors import BadRequest
from backend.training.losses.perceptual import PerceptualDistance, load_perceptual

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class PerceptualMeasures:
    """Which perceptual measures can be taken.

    Attributes:
        flip: whether the package flip-evaluator is installed.
        lpips: the distance with its weights; None without.
    """

    flip: bool
    lpips: PerceptualDistance | None

    @classmethod
    def available(cls, lpips_weights: str) -> PerceptualMeasures:
        """Those of this computer.

        Args:
            lpips_weights: a file as `backend/training/losses/perceptual.py` reads it; may be empty.

        Raises:
            BadRequest: if there is no such file.
            CheckpointMismatch: if it holds other tensors.
        """
        if lpips_weights and not Path(lpips_weights).is_file():
            raise BadRequest(
                f"There is no file {lpips_weights} with the weights of LPIPS.",
                "Correct the path, or leave it out.",
            )
        flip = importlib.util.find_spec("flip_evaluator") is not None
        cpu = torch.device("cpu")
        return cls(flip, load_perceptual(lpips_weights, cpu) if lpips_weights else None)

    def notes(self) -> list[str]:
        """What is left out, and why."""
        notes = []
        if not self.flip:
            notes.append("FLIP is left out: the package flip-evaluator is not installed.")
        if self.lpips is None:
            notes.append("LPIPS is left out: no file with its weights was given.")
        return notes

    def compare(self, image: NDArray[np.float32], truth: NDArray[np.float32]) -> dict[str, float]:
        """The measures of an sRGB image [height, width, 3] in 0..1 against the true one."""
        found = {}
        if self.flip:
            found["flip"] = mean_flip(image, truth)
        if self.lpips is not None:
            with torch.no_grad():
                found["lpips"] = float(self.lpips(_as_input(image), _as_input(truth)))
        return found


def _as_input(image: NDArray[Any]) -> torch.Tensor:
    """[height, width, 3] in 0..1 as [1, 3, height, width] in -1..1."""
    planes = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1), np.float32))
    return 2 * planes[None] - 1
