# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""xatlas in a process of its own: it holds Python's lock for seconds, and cannot be interrupted.

In our own process it would silence the heartbeat and be deaf to a cancel. The pieces travel as
one temporary .npz each way.
"""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING

import numpy as np
import xatlas

from ..shared.errors import BackendDied
from ..shared.virtual_environments import child_variables

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..shared.progress import Progress

LOGGER = logging.getLogger(__name__)

ATTEMPTS = 3
"""Once in some hundred times xatlas crashes on what it unwraps well the next time: its threads."""

CHECK_SECONDS = 0.2
"""How often the waiting process looks whether it was cancelled."""


@dataclass(frozen=True)
class Piece:
    """Some faces with the vertices they use, before or after unwrapping.

    Attributes:
        points: [vertices, 3] float32 positions before, [vertices, 2] texture coordinates after.
        faces: [faces, 3] uint32 rows of `points`.
        source: [vertices] the vertex before unwrapping that each one comes from.
    """

    points: NDArray[np.float32]
    faces: NDArray[np.uint32]
    source: NDArray[np.uint32]


def unwrap_pieces(
    pieces: Sequence[Piece], texture_size: int, gutter: int, progress: Progress
) -> list[Piece]:
    """Cut pieces into charts and pack them all into one square texture.

    Args:
        pieces: unwrapped one by one, so charts do not cross from one to another.
        texture_size: side of the texture in texels.
        gutter: texels between charts.
        progress: checked for cancel while the other process works.

    Returns:
        The same faces in the same order, with texture coordinates in 0..1.

    Raises:
        Cancelled: within a quarter of a second.
        BackendDied: if the process ends without a result, time and again.
    """
    command = [sys.executable, "-P", "-m", __name__, str(texture_size), str(gutter)]
    with TemporaryFile() as question, TemporaryFile() as answer:
        _pack(pieces, question)
        for attempt in range(1, ATTEMPTS + 1):
            code = _ask(command, question, answer, progress)
            if code == 0:
                answer.seek(0)
                return _unpack(answer)
            LOGGER.warning("unwrapping ended with %d, attempt %d of %d", code, attempt, ATTEMPTS)
    raise BackendDied(
        f"Unwrapping the mesh ended without a result ({code}).", "Reconstruct with fewer faces."
    )


def _ask(command: list[str], question: IO[bytes], answer: IO[bytes], progress: Progress) -> int:
    """Run the other process once, from the beginning of both files; its exit code."""
    question.seek(0)
    answer.seek(0)
    answer.truncate()
    with subprocess.Popen(command, stdin=question, stdout=answer, env=child_variables()) as process:
        _wait(process, progress)
    return process.returncode


def _wait(process: subprocess.Popen[bytes], progress: Progress) -> None:
    """Wait for the end of a process, with an ear for a cancel."""
    try:
        while process.poll() is None:
            progress.check()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(CHECK_SECONDS)
    finally:
        process.kill()


def _pack(pieces: Sequence[Piece], file: IO[bytes]) -> None:
    arrays = {
        f"{name}{index}": getattr(piece, name)
        for index, piece in enumerate(pieces)
        for name in ("points", "faces", "source")
    }
    np.savez(file, **arrays)


def _unpack(file: IO[bytes]) -> list[Piece]:
    with np.load(file) as arrays:
        count = len(arrays.files) // 3
        return [
            Piece(arrays[f"points{index}"], arrays[f"faces{index}"], arrays[f"source{index}"])
            for index in range(count)
        ]


def _charted(pieces: Sequence[Piece], texture_size: int, gutter: int) -> list[Piece]:
    """What the other process does."""
    atlas = xatlas.Atlas()
    for piece in pieces:
        atlas.add_mesh(piece.points, piece.faces)
    packing = xatlas.PackOptions()
    packing.resolution = texture_size
    packing.padding = gutter
    packing.bilinear = True
    atlas.generate(xatlas.ChartOptions(), packing)
    charted = [atlas[index] for index in range(len(pieces))]
    return [Piece(points, faces, source) for source, faces, points in charted]


def main(texture_size: int, gutter: int) -> None:
    """Answer the question on stdin on the stdout of before xatlas could print to it."""
    with os.fdopen(os.dup(1), "wb") as answer, os.fdopen(os.dup(0), "rb") as question:
        os.dup2(2, 1)
        pieces = _unpack(question)
        _pack(_charted(pieces, texture_size, gutter), answer)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
