# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of the quality benchmark."""

from __future__ import annotations

import argparse
from pathlib import Path


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line.

    Raises:
        SystemExit: with code 2 after a wrong usage.
    """
    parser = argparse.ArgumentParser(
        prog="python3 -m benchmarks.quality",
        description="Objects captured, reconstructed and scored on held-out views.",
    )
    add = parser.add_argument
    add("objects", type=Path, help="folder with NAME/model.obj and *.glb")
    add("hdri", type=Path, help="the lighting of the captures")
    add("--refine", default="auto")
    add("--material", help="of reconstruct; default: its own")
    add("--relight", nargs="+", default=[], metavar="HDRI", help="score under these lights, too")
    add("--rgb", action="store_true", help="also reconstruct with --material rgb: unlit colors")
    add(
        "--bounds",
        action="store_true",
        help="with --relight: also the result in the asset's own materials, "
        "and the true shape in estimated ones",
    )
    add(
        "--withhold-light",
        action="store_true",
        help="with --relight: also reconstruct without the light of the views",
    )
    add("--true-geometry", action="store_true", help="also texture the true meshes: the bound")
    add("--only", default="", help="run the objects whose path holds this text, any case")
    add("--half", choices=("tuning", "reporting"), help="run one half of the objects")
    add("--no-made", action="store_true", help="leave out the objects the benchmark makes itself")
    add("--against", type=Path, help="an earlier table to compare with")
    add("--work", type=Path, default=Path("bench"))
    add("-o", "--output", type=Path, default=Path("benchmarks/results/quality.json"))
    options = parser.parse_args(arguments)
    if options.bounds and not options.relight:
        parser.error("--bounds compares under other lights: add --relight")
    if options.withhold_light and not options.relight:
        parser.error("--withhold-light compares under other lights: add --relight")
    return options
