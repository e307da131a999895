# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""FLIP: how different two images look to a person who flips between them (Andersson et al. 2020).

Computed by the package flip-evaluator, which users do not need; measurements install it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..shared.errors import EnvironmentBroken
from .scores import over_white, read_pairs

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray


def score_flip(renders: Path, views: Path, images: Path | None = None) -> dict[str, float]:
    """The mean FLIP error of every view, from 0 for no visible difference to 1.

    Arguments as for `score_renders`.

    Raises:
        EnvironmentBroken: if flip-evaluator is not installed.
        BadImage: if an image or a render is missing or of another size.
    """
    return {
        name: mean_flip(over_white(render), over_white(truth))
        for name, (render, truth) in read_pairs(renders, views, images)
    }


def mean_flip(image: NDArray[np.float32], reference: NDArray[np.float32]) -> float:
    """The mean FLIP error of an sRGB image [height, width, 3] in 0..1, at 67 pixels per degree.

    Raises:
        EnvironmentBroken: if flip-evaluator is not installed.
    """
    try:
        import flip_evaluator
    except ImportError as error:
        raise EnvironmentBroken(
            "FLIP needs the package flip-evaluator, which is not installed.",
            "Run `.venv/backend/bin/python -m pip install flip-evaluator==1.7`.",
        ) from error
    mean = flip_evaluator.evaluate(reference, image, "LDR", applyMagma=False)[1]
    return float(mean)
