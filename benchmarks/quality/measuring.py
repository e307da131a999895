# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""One object of the quality benchmark: captured, reconstructed and scored; its bounds."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from .child_commands import backend, program
from .scenes import capture, is_captured, without_light
from .scoring import relit_comparison, score_relit, score_views

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

PICTURE = "side-by-side.png"


def measure_object(asset: Path, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """The row of one object; results, bounds and pictures are left in its folder."""
    views = folder / "views"
    if not is_captured(views, options.relight):
        capture(asset, views, options)
    choice = ["--material", options.material] if options.material else []
    result, row = _reconstruct(views, folder, ["--refine", options.refine, *choice])
    row |= _scores(views, result, options)
    shown = {"result": result}
    if options.rgb:
        colors, row["rgb"] = _reconstruct(
            views, folder, ["--refine", options.refine, "--material", "rgb"]
        )
        row["rgb"] |= _scores(views, colors, options)
        shown = {"color with its light": colors, **shown}
    if options.withhold_light:
        alone = without_light(views, folder / "light-withheld")
        unlit, row["light_withheld"] = _reconstruct(
            alone, alone.parent, ["--refine", options.refine]
        )
        row["light_withheld"] |= score_relit(views, unlit, options.relight)
        shown = {**shown, "light withheld": unlit}
    if options.true_geometry:
        row["true_geometry"] = score_views(views, _true_geometry(views, folder, "rgb"))
    if options.bounds:
        dressed = folder / "true-materials"
        program("true_materials", str(views), str(result), str(dressed))
        row["true_materials"] = score_relit(views, dressed, options.relight)
        true_shape = _true_geometry(views, folder, "pbr")
        row["true_shape"] = score_relit(views, true_shape, options.relight)
        shown |= {"in true materials": dressed, "true shape": true_shape}
    if options.relight:
        _write_picture(folder / PICTURE, shown, options.relight)
    return row


def _reconstruct(views: Path, folder: Path, options: list[str]) -> tuple[Path, dict[str, Any]]:
    """The result folder of a reconstruction, and what it took."""
    result = folder / "-".join(option.strip("-") for option in options)
    start = time.perf_counter()
    report = backend("reconstruct", str(views), "-o", str(result), *options)
    row = {
        "seconds": round(time.perf_counter() - start, 1),
        "peak_memory_mb": max(stage["peak_memory_mb"] or 0 for stage in report["stages"]),
    }
    return result, row


def _scores(views: Path, result: Path, options: argparse.Namespace) -> dict[str, Any]:
    """All scores of a result."""
    scores: dict[str, Any] = score_views(views, result)
    return scores | (score_relit(views, result, options.relight) if options.relight else {})


def _true_geometry(views: Path, folder: Path, material: str) -> Path:
    """The true mesh with materials from the views."""
    textured = folder / f"true-geometry-{material}"
    program("true_geometry", str(views), str(textured), material)
    return textured


def _write_picture(path: Path, shown: dict[str, Path], relight: list[str]) -> None:
    """Truth and results under every light, side by side."""
    columns = [
        f"{title}={relit_comparison(result, light)}"
        for light in relight
        for title, result in shown.items()
    ]
    program("side_by_side", str(path), *columns)
