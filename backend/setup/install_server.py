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

from ..shared.machine.torch_builds import (
    BUILDS,
    fitting_build,
    nvidia_driver,
    user_chooses_packages,
)
from ..shared.rpc.server import Pipe, Server
from ..shared.virtual_environments import backend_environment

if TYPE_CHECKING:
    from ..shared.machine.torch_builds import TorchBuild
    from ..shared.progress import Progress

REPORT_SECONDS = 1.0
"""Between two progress reports."""


def serve(folder: Path) -> int:
    """Serve one parent; the environment is installed below a folder."""
    pipe = Pipe.take_standard_streams()
    methods = {"install": lambda params, progress: install(folder, params, progress)}
    return Server(pipe, methods).serve()


def install(folder: Path, params: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Install the backend environment, as `python3 -m backend install` does.

    Args:
        folder: of all environments.
        params: `extras`, names of the extras that it shall have, if any; `build`, the name of the
            build of PyTorch, "auto" for the one that fits the driver.
        progress: of the stage `install`; may cancel.

    Returns:
        `python`, its interpreter.

    Raises:
        EnvironmentBroken: with what is missing.
        Cancelled: if it was cancelled; the next installation continues it.
    """
    from .installation import EXTRAS, possible_costs
    from .installation import install as run_installation

    extras = params.get("extras", [])
    environment = backend_environment(folder, extras=extras)
    costs = [EXTRAS[extra] for extra in extras]
    build = _chosen_build(params.get("build", ""))
    added = sum(cost.download + cost.disk for cost in costs)
    reported = 0.0

    def report_size() -> None:
        """Report the size on disk: pip prints its own progress only on a terminal."""
        nonlocal reported
        progress.check()
        if time.monotonic() - reported < REPORT_SECONDS:
            return
        gigabytes = _size(environment.folder) / 1e9
        # Only the size shows which build pip has chosen.
        builds = [cost.download + cost.disk for cost in possible_costs(environment, build)]
        totals = sorted(build + added for build in builds)
        expected = next((total for total in totals if total > gigabytes), totals[-1])
        fraction = min(gigabytes / expected, 0.95)
        progress.report("install", fraction, f"{gigabytes:.1f} GB")
        reported = time.monotonic()

    run_installation(environment, poll=report_size, build=build)
    return {"python": str(environment.python)}


def _chosen_build(name: str) -> TorchBuild | None:
    """The build with a name; None if pip shall choose, as the user has set it up."""
    if name == "auto":
        return None if user_chooses_packages() else fitting_build(nvidia_driver())
    return BUILDS.get(name)


def _size(folder: Path) -> int:
    """Bytes of all files below a folder; files may be removed meanwhile."""
    sizes = []
    for path in folder.rglob("*"):
        try:
            sizes.append(path.stat(follow_symlinks=False).st_size)
        except OSError:
            continue
    return sum(sizes)


if __name__ == "__main__":
    sys.exit(serve(Path(sys.argv[1])))
