# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make every picture of the pages anew.

    python3 -m benchmarks.window_walk.pictures

It runs the demo, and walks through the window as far as there are pictures of it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from backend.shared.virtual_environments import ROOT

DOCS = ROOT / "docs"
COLORS = 128
"""Of a picture of the window, which keeps its file small."""

DEMO = "demo.png"
"""What the demo makes for the README."""

WALK = ("--until", "relight_live", "--quality", "normal")
"""To the last state of which there is a picture, and as an artist sets it."""


@dataclass(frozen=True)
class Picture:
    """A picture that is cut from a screenshot of the walk.

    Attributes:
        file: its name among the pages.
        state: of the walk, without its number.
        width: in pixels, from the right side of the sidebar to the left.
        top: in pixels, from the upper side of the sidebar.
        height: in pixels.
    """

    file: str
    state: str
    width: int
    top: int
    height: int


PICTURES = (
    Picture("tour-1-object.png", "demo", 820, 0, 830),
    Picture("tour-2-running.png", "running", 820, 0, 830),
    Picture("tour-3-relit.png", "relight_live", 820, 0, 830),
)


def main() -> int:
    """Run the commands, and write the pictures; returns the exit code."""
    argparse.ArgumentParser(
        prog="python3 -m benchmarks.window_walk.pictures", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args()  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="lsrm-pictures-") as name:
        folder = Path(name)
        demo = [sys.executable, "-m", "backend", "demo", "--out", str(folder / "demo")]
        walk = [sys.executable, "-m", "benchmarks.window_walk", *WALK]
        for command in (demo, [*walk, "-o", str(folder / "walk")]):
            if code := subprocess.run(command, cwd=ROOT, check=False).returncode:
                return code
        (DOCS / DEMO).write_bytes((folder / "demo" / "comparison.png").read_bytes())
        cut(folder / "walk", DOCS)
    return 0


def cut(walk: Path, pages: Path) -> None:
    """Write the pictures of the window.

    Args:
        walk: the folder of a walk.
        pages: where they go.
    """
    states = json.loads((walk / "walk.json").read_text("utf-8"))["states"]
    by_name = {record["state"].partition("_")[2]: record for record in states}
    for picture in PICTURES:
        record = by_name[picture.state]
        _, top, right, _ = record["sidebar"]
        box = (right - picture.width, top + picture.top, right, top + picture.top + picture.height)
        with Image.open(walk / f"{record['state']}.png") as shot:
            small = shot.convert("RGB").crop(box).quantize(COLORS, dither=Image.Dither.NONE)
        small.save(pages / picture.file, optimize=True)


if __name__ == "__main__":
    sys.exit(main())
