# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installing the backend for a button: the same installation, but asked for through the pipe.

Standard library only: this runs before anything is installed, in Blender's own Python.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from .environment import backend_environment
from .rpc_server import Pipe, Server

if TYPE_CHECKING:
    from pathlib import Path

    from .progress import Progress

TELL_SECONDS = 1.0


def serve(folder: Path) -> int:
    """Serve one parent that wants an environment below a folder."""
    pipe = Pipe.take_standard_streams()
    return Server(pipe, {"install": lambda _, progress: install(folder, progress)}).serve()


def install(folder: Path, progress: Progress) -> dict[str, Any]:
    """Make the backend environment, as `python3 -m backend` would; answers with its Python.

    Raises:
        EnvironmentBroken: saying what is missing.
    """
    from .installation import install as run_installation

    environment = backend_environment(folder)
    done = threading.Event()
    teller = threading.Thread(target=_tell, args=(environment.folder, progress, done), daemon=True)
    teller.start()
    try:
        run_installation(environment)
    finally:
        done.set()
    return {"python": str(environment.python)}


def _tell(folder: Path, progress: Progress, done: threading.Event) -> None:
    """Say how much is on the disk already: pip tells its own progress only to a terminal."""
    from .installation import costs

    expected = max(cost.disk for cost in costs(backend_environment(folder.parent)))
    while not done.wait(TELL_SECONDS):
        sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
        gigabytes = sum(sizes) / 1e9
        progress.report("install", min(gigabytes / expected, 0.95), f"{gigabytes:.1f} GB")
