# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scores of a result by `evaluate`: held-out views, other lights, materials and normals."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from statistics import fmean
from typing import Any

from backend.shared.capture.capture import environment_name

from .child_commands import backend_has, blender

MEASURES = ("iou", "psnr", "psnr_foreground", "ssim")
RELIT_MEASURES = ("psnr", "flip")


def score_views(views: Path, result: Path) -> dict[str, float]:
    """Novel views: materials under the light of the capture, colors unlit."""
    scores = blender("evaluate", str(views), str(result))
    means = {measure: round(scores["mean"][measure], 4) for measure in MEASURES}
    return {**means, "chamfer_x1e3": round(scores["chamfer_x1e3"], 2)}


def score_relit(views: Path, result: Path, relight: list[str]) -> dict[str, Any]:
    """The means under other lights, each light's, and the scores of materials and normals."""
    lights = {Path(light).stem: _score_light(views, result, light) for light in relight}
    means = {
        f"relit_{measure}": round(fmean(scores[measure] for scores in lights.values()), 4)
        for measure in RELIT_MEASURES
        if all(measure in scores for scores in lights.values())
    }
    return means | _mean_of(views, result, "passes") | {"lights": lights}


def relit_comparison(result: Path, light: str) -> Path:
    """The picture of the true views and those of a result under a light, left when it is scored."""
    return result.with_name(f"{result.name}_{environment_name(light)}.png")


def _score_light(views: Path, result: Path, light: str) -> dict[str, float]:
    flip = ["--flip"] if has_flip() else []
    picture = ["--write-comparison", str(relit_comparison(result, light))]
    return _mean_of(views, result, "lit", "--environment", light, *flip, *picture)


def _mean_of(views: Path, result: Path, *shading: str) -> dict[str, float]:
    """The mean scores over the held-out views."""
    scores = blender("evaluate", str(views), str(result), "--shading", *shading)["mean"]
    return {measure: round(value, 4) for measure, value in scores.items()}


@functools.cache
def has_flip() -> bool:
    """Whether FLIP can be computed; the reason why not is printed once."""
    found = backend_has("flip_evaluator")
    if not found:
        sys.stderr.write(
            "FLIP is left out: flip-evaluator is not installed in the backend environment. "
            "Run `.venv/backend/bin/python -m pip install flip-evaluator==1.7`.\n"
        )
    return found
