# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `metrics`: scores of renders and of a mesh against the ground truth."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `metrics`."""
    parser.add_argument(
        "renders", type=Path, help="folder of straight-alpha PNGs, one for each view"
    )
    parser.add_argument("views", type=Path, help="capture folder of the ground truth")
    parser.add_argument("--mesh", type=Path, help="mesh to compare with --reference-mesh")
    parser.add_argument("--reference-mesh", type=Path, help="the ground truth, in the same world")


def run(arguments: argparse.Namespace) -> dict[str, object]:
    """The scores: their mean, those of every view, and the Chamfer distance times 1000."""
    from ..result.scores import chamfer_distance, mean_scores, read_mesh, score_renders

    scores = score_renders(arguments.renders, arguments.views)
    result: dict[str, object] = {
        "mean": asdict(mean_scores(list(scores.values()))),
        "views": {name: asdict(score) for name, score in scores.items()},
    }
    if arguments.mesh and arguments.reference_mesh:
        result["chamfer_x1e3"] = chamfer_distance(
            read_mesh(arguments.mesh), read_mesh(arguments.reference_mesh)
        )
    return result
