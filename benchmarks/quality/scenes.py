# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of the quality benchmark and their captures."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from backend.shared.capture.capture import ENVIRONMENT_NAME, PASSES, relit_folder

from .child_commands import blender, program
from .object_split import HALVES, MADE

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from pathlib import Path

CAPTURE = {
    "--distance": 3,
    "--field-of-view": 40,
    "--views": 16,
    "--test-views": 8,
    "--size": 256,
    "--samples": 32,
}
"""Distance in bounding radii: the object has radius 0.5, so the cameras stand at 1.5."""

MADE_FOLDER = "made"


def find_assets(options: argparse.Namespace) -> dict[str, Path]:
    """The files of the chosen objects by name; missing ones of the benchmark's own are made."""
    folder = options.objects
    files = [*sorted(folder.glob("*/model.obj")), *sorted(folder.glob("*.glb"))]
    assets = {(path.parent.name if path.name == "model.obj" else path.stem): path for path in files}
    made = options.work / MADE_FOLDER
    if not options.no_made:
        assets |= {name: made / f"{name}.glb" for name in MADE}
    chosen = {
        name: path
        for name, path in assets.items()
        if options.only.lower() in str(path).lower()
        and (options.half is None or name in HALVES[options.half])
    }
    missing = [name for name, path in chosen.items() if not path.is_file()]
    if missing:
        program("made_objects", str(made), *missing)
    return chosen


def is_captured(views: Path, relight: Sequence[str]) -> bool:
    """Whether a capture is there and has what is needed to score under these lights."""
    needed = [views]
    if relight:
        test = views / "test"
        needed += [test / channel for channel in PASSES]
        needed += [relit_folder(test, light) for light in relight]
    return all(folder.is_dir() for folder in needed)


def capture(asset: Path, views: Path, options: argparse.Namespace) -> None:
    """Capture one object."""
    details = [str(part) for option in CAPTURE.items() for part in option]
    if asset.suffix == ".obj":
        details += ["--up-axis", "Z"]
    if options.relight:
        details += ["--passes", "--relight", *options.relight]
    light = ["--environment", str(options.hdri)]
    blender("capture", str(asset), "-o", str(views), *light, "--normalize", *details)


def without_light(views: Path, folder: Path) -> Path:
    """The views in a folder of their own, as if their light were not known; returns it."""
    alone = folder / views.name
    shutil.rmtree(alone, ignore_errors=True)
    shutil.copytree(views, alone, ignore=shutil.ignore_patterns(ENVIRONMENT_NAME, "test"))
    return alone
