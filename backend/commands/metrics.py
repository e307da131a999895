# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `metrics`: scores of renders and of a mesh against the ground truth."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from ..result.scores import Scores


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `metrics`."""
    parser.add_argument(
        "renders", type=Path, help="folder of straight-alpha PNGs, one for each view"
    )
    parser.add_argument("views", type=Path, help="capture folder of the ground truth")
    truth = parser.add_mutually_exclusive_group()
    truth.add_argument(
        "--images", type=Path, help="other true images <view>.png, for example relit"
    )
    truth.add_argument(
        "--passes",
        action="store_true",
        help="score materials and normals: RENDERS has masks/ and passes like a test folder",
    )
    parser.add_argument("--flip", action="store_true", help="also the FLIP error of images")
    parser.add_argument("--mesh", type=Path, help="mesh to compare with --reference-mesh")
    parser.add_argument("--reference-mesh", type=Path, help="the ground truth, in the same world")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """The scores: their mean, those of every view, and the Chamfer distance times 1000."""
    from ..result.material_scores import score_passes
    from ..result.scores import chamfer_distance, read_mesh, score_renders

    if arguments.passes:
        result = _document(score_passes(arguments.renders, arguments.views))
    else:
        result = _document(score_renders(arguments.renders, arguments.views, arguments.images))
        if arguments.flip:
            _add_flip(result, arguments)
    if arguments.mesh and arguments.reference_mesh:
        result["chamfer_x1e3"] = chamfer_distance(
            read_mesh(arguments.mesh), read_mesh(arguments.reference_mesh)
        )
    return result


def _add_flip(result: dict[str, Any], arguments: argparse.Namespace) -> None:
    """Add the FLIP error to the scores of views, and to their mean."""
    from ..result.flip_scores import score_flip

    errors = score_flip(arguments.renders, arguments.views, arguments.images)
    result["mean"]["flip"] = fmean(errors.values())
    for name, error in errors.items():
        result["views"][name]["flip"] = error


def _document(scores: Mapping[str, Scores]) -> dict[str, Any]:
    """The scores of views, and their mean."""
    from ..result.scores import mean_scores

    return {
        "mean": asdict(mean_scores(list(scores.values()))),
        "views": {name: asdict(score) for name, score in scores.items()},
    }
