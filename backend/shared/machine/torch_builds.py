# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The builds of PyTorch: their sizes, their package indexes, and which one fits a driver.

Standard library only: Blender's Python and the installation use it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

INDEX = "https://download.pytorch.org/whl"
"""Where PyTorch publishes its builds, one folder for each."""

DRIVER_FILE = Path("/proc/driver/nvidia/version")
"""What the NVIDIA driver of Linux says about itself."""

DRIVER_SECONDS = 10.0
"""That nvidia-smi may take to answer."""

NO_WINDOW = 0x08000000
"""The creation flag of Windows for a process without a console."""

OWN_INDEX = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX")
"""Environment variables by which a user chooses the packages himself."""


@dataclass(frozen=True)
class Cost:
    """The size of an installation.

    Attributes:
        what: is installed.
        download: in gigabytes.
        disk: in gigabytes.
    """

    what: str
    download: float
    disk: float

    def __str__(self) -> str:
        return f"{self.what}: {self.download:.1f} GB to download, {self.disk:.1f} GB on disk"


@dataclass(frozen=True)
class TorchBuild:
    """A build of PyTorch.

    Attributes:
        name: of its folder in the index, and of its local version.
        cost: of a backend with it.
        driver: the oldest major version of the NVIDIA driver that runs it; 0 if it needs none.
    """

    name: str
    cost: Cost
    driver: int = 0


# Measured on x86-64 Linux with the pins of November 2026, except for the disk space of the CUDA
# builds (estimated from their wheels). Other systems are assumed to need as much.
CPU = TorchBuild("cpu", Cost("torch for the CPU", 0.5, 1.9))
CUDA_12 = TorchBuild("cu126", Cost("torch with CUDA 12", 2.9, 6.0), driver=525)
CUDA_13 = TorchBuild("cu130", Cost("torch with CUDA 13", 2.9, 6.0), 580)
BUILDS = {build.name: build for build in (CPU, CUDA_12, CUDA_13)}


def builds(platform: str = sys.platform) -> tuple[TorchBuild, ...]:
    """The builds for a system, best first: macOS has only one."""
    return (CPU,) if platform == "darwin" else (CUDA_13, CUDA_12, CPU)


def fitting_build(driver: int, platform: str = sys.platform) -> TorchBuild:
    """The best build that an NVIDIA driver runs.

    Args:
        driver: its major version; 0 if there is none.
        platform: as `sys.platform`.
    """
    return next(build for build in builds(platform) if build.driver <= driver)


def requirement(pin: str, build: TorchBuild, platform: str = sys.platform) -> str:
    """A pin of torch narrowed to a build; other pins, and those of PyPI's own build, as they are.

    Without the local version pip would keep another build that is installed, or choose one.
    """
    on_pypi = {"linux": CUDA_13.name, "win32": CPU.name}.get(platform, build.name)
    return f"{pin}+{build.name}" if pin.startswith("torch==") and build.name != on_pypi else pin


def index_options(build: TorchBuild) -> list[str]:
    """The options by which pip finds a build beside the packages of PyPI."""
    return ["--extra-index-url", f"{INDEX}/{build.name}"]


def user_chooses_packages() -> bool:
    """Whether the environment of this process says where pip finds packages."""
    return any(os.environ.get(name) for name in OWN_INDEX)


def nvidia_driver() -> int:
    """The major version of the NVIDIA driver; 0 if there is none. May take seconds."""
    try:
        text = DRIVER_FILE.read_text("utf-8", "replace")
        found = re.search(r"Kernel Module.*?\s(\d{3,4})\.\d", text)
    except OSError:
        found = re.match(r"\s*(\d{3,4})\.\d", _nvidia_smi())
    return int(found[1]) if found else 0


def _nvidia_smi() -> str:
    """What NVIDIA's own tool says about the version of the driver; empty without it."""
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    hidden = NO_WINDOW if sys.platform == "win32" else 0
    try:
        answer = subprocess.run(
            command, capture_output=True, check=False, timeout=DRIVER_SECONDS, creationflags=hidden
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.decode("utf-8", "replace") if answer.returncode == 0 else ""
