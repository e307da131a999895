# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""xatlas in a process of its own, because it holds Python's lock for seconds.

In this process it would block the heartbeat and delay a cancel. The pieces are passed as one
temporary .npz each way.
"""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
import time
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
"""About once in a hundred runs xatlas crashes on input that it unwraps well the next time; more
rarely, its threads wait for each other for ever."""

LEAST_LIMIT, LIMIT_PER_FACE = 60.0, 2e-3
"""Seconds of the first attempt, a hundred times what it takes on two cores; each later attempt has
twice as many."""

CHECK_SECONDS = 0.2
"""Interval at which the waiting process checks for a cancel."""


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
        BackendDied: if the process ends without a result in every attempt.
    """
    command = [sys.executable, "-P", "-m", __name__, str(texture_size), str(gutter)]
    with TemporaryFile() as input_file, TemporaryFile() as output_file:
        _pack(pieces, input_file)
        limit = LEAST_LIMIT + LIMIT_PER_FACE * sum(len(piece.faces) for piece in pieces)
        for attempt in range(1, ATTEMPTS + 1):
            code = _run(command, (input_file, output_file), limit * 2 ** (attempt - 1), progress)
            if code == 0:
                output_file.seek(0)
                return _unpack(output_file)
            LOGGER.warning("unwrapping ended with %d, attempt %d of %d", code, attempt, ATTEMPTS)
    raise BackendDied(
        f"Unwrapping the mesh ended without a result ({code}).", "Reconstruct with fewer faces."
    )


def _run(
    command: list[str], files: tuple[IO[bytes], IO[bytes]], limit: float, progress: Progress
) -> int:
    """Run the other process once, from the beginning of both files; its exit code.

    After `limit` seconds it is killed.
    """
    input_file, output_file = files
    input_file.seek(0)
    output_file.seek(0)
    output_file.truncate()
    with subprocess.Popen(
        command, stdin=input_file, stdout=output_file, env=child_variables()
    ) as process:
        _wait(process, limit, progress)
    return process.returncode


def _wait(process: subprocess.Popen[bytes], limit: float, progress: Progress) -> None:
    """Wait for the end of a process; a cancel or the end of the limit kills it."""
    end = time.monotonic() + limit
    try:
        while process.poll() is None and time.monotonic() < end:
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
    """Unwrap the pieces, in the other process."""
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
    """Unwrap the pieces from stdin to stdout; what xatlas prints goes to stderr."""
    with os.fdopen(os.dup(1), "wb") as output, os.fdopen(os.dup(0), "rb") as source:
        os.dup2(2, 1)
        pieces = _unpack(source)
        _pack(_charted(pieces, texture_size, gutter), output)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
