# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m backend.setup.install_server FOLDER`: the installation, served over a pipe.

The button *Install Backend* starts it in Blender's own Python, before anything is installed:
standard library only.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..shared.rpc_server import Pipe, Server
from ..shared.virtual_environments import backend_environment

if TYPE_CHECKING:
    from ..shared.progress import Progress

TELL_SECONDS = 1.0


def serve(folder: Path) -> int:
    """Serve one parent that wants an environment below a folder."""
    pipe = Pipe.take_standard_streams()
    return Server(pipe, {"install": lambda _, progress: install(folder, progress)}).serve()


def install(folder: Path, progress: Progress) -> dict[str, Any]:
    """Make the backend environment, as `python3 -m backend` would; answers with its Python.

    Raises:
        EnvironmentBroken: saying what is missing.
        Cancelled: if it was stopped; the next installation goes on from there.
    """
    from .installation import costs
    from .installation import install as run_installation

    environment = backend_environment(folder)
    told = 0.0

    def watch() -> None:
        """Say how much is on the disk already: pip tells its own progress only to a terminal."""
        nonlocal told
        progress.check()
        if time.monotonic() - told < TELL_SECONDS:
            return
        gigabytes = _size(environment.folder) / 1e9
        # Which build pip has found shows in its size only.
        totals = sorted(cost.download + cost.disk for cost in costs(environment))
        expected = next((total for total in totals if total > gigabytes), totals[-1])
        fraction = min(gigabytes / expected, 0.95)
        progress.report("install", fraction, f"{gigabytes:.1f} GB")
        told = time.monotonic()

    run_installation(environment, watch=watch)
    return {"python": str(environment.python)}


def _size(folder: Path) -> int:
    """Bytes of all files below a folder, some of which may go while we look."""
    sizes = []
    for path in folder.rglob("*"):
        try:
            sizes.append(path.stat(follow_symlinks=False).st_size)
        except OSError:
            continue
    return sum(sizes)


if __name__ == "__main__":
    sys.exit(serve(Path(sys.argv[1])))
