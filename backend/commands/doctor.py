# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `doctor`: what is installed here, what is missing, and what to do about it.

Standard library only, so that it can tell before anything is installed.
"""

from __future__ import annotations

import platform
import shutil
from dataclasses import asdict, dataclass
from importlib import util
from typing import TYPE_CHECKING

from ..setup.installation import costs
from ..setup.system_libraries import install_command, missing_libraries
from ..setup.system_memory import available_memory, total_memory
from ..shared.checkpoint_folders import find_dinov3, installed_checkpoints, license_of, needs_dinov3
from ..shared.errors import CheckpointMismatch, CheckpointMissing, EnvironmentBroken
from ..shared.exit_codes import DONE, ENVIRONMENT
from ..shared.terminal import print_json, say
from ..shared.virtual_environments import (
    ROOT,
    backend_environment,
    blender_environment,
    find_interpreter,
)

if TYPE_CHECKING:
    import argparse

    from ..shared.virtual_environments import VirtualEnvironment

MEMORY_NEEDED = 3.0
"""Gigabytes that a reconstruction without a network takes at most."""


@dataclass(frozen=True)
class Finding:
    """One thing looked at: whether it is well, what was seen, and the remedy if it is not."""

    name: str
    well: bool
    seen: str
    remedy: str = ""

    def __str__(self) -> str:
        line = f"{'✓' if self.well else '✗'} {self.name:<13} {self.seen}"
        return line if self.well else f"{line}\n  {'':<13} → {self.remedy}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `doctor`: none of its own."""


def run(arguments: argparse.Namespace) -> int:
    """Tell every finding; 0 if all is well, 3 if something in the environment is not."""
    findings = examine()
    well = all(finding.well for finding in findings)
    if arguments.json:
        print_json({"well": well, "findings": [asdict(finding) for finding in findings]})
    else:
        say("\n".join(str(finding) for finding in findings))
    return DONE if well else ENVIRONMENT


def examine() -> list[Finding]:
    """Look at everything, in the order in which things depend on each other."""
    return [
        Finding("interpreter", well=True, seen=f"Python {platform.python_version()}"),
        _environment(backend_environment()),
        *_torch(),
        _memory(),
        *_checkpoints(),
        _environment(blender_environment()),
        _system_libraries(),
        _disk(),
    ]


def _environment(environment: VirtualEnvironment) -> Finding:
    try:
        python = find_interpreter(environment)
    except EnvironmentBroken as error:
        return Finding(environment.name, well=False, seen=error.message, remedy=error.remedy)
    if python is not None:
        return Finding(environment.name, well=True, seen=str(python))
    price = " or ".join(f"{cost.download:.1f} GB" for cost in costs(environment))
    remedy = f"python3 -m backend demo installs it ({price} to download)"
    return Finding(environment.name, well=False, seen="not installed", remedy=remedy)


def _torch() -> list[Finding]:
    if util.find_spec("torch") is None:
        return []
    import torch

    found = [Finding("torch", well=True, seen=torch.__version__)]
    for index in range(torch.cuda.device_count()):
        card = torch.cuda.get_device_properties(index)
        found.append(
            Finding(
                f"cuda:{index}", well=True, seen=f"{card.name}, {card.total_memory / 1e9:.0f} GB"
            )
        )
    return found


def _memory() -> Finding:
    total, available = total_memory(), available_memory()
    if total is None:
        return Finding("memory", well=True, seen=f"unknown here; {MEMORY_NEEDED:.0f} GB are needed")
    usable = (total if available is None else available) / 1e9
    needed = f"{MEMORY_NEEDED:.0f} GB are needed at most"
    seen = f"{usable:.1f} of {total / 1e9:.1f} GB available, {needed}"
    remedy = "Close other programs, or give fewer or smaller views."
    return Finding("memory", usable >= MEMORY_NEEDED, seen, remedy)


def _checkpoints() -> list[Finding]:
    """The weights that are here, each with its license, and the image features they may need."""
    here = installed_checkpoints()
    if not here:
        seen = "none installed, and --checkpoint none needs none"
        return [Finding("checkpoints", well=True, seen=seen), _dinov3(needed=False)]
    found, needed = [], False
    for name, folder in here.items():
        try:
            needed = needs_dinov3(folder) or needed
        except CheckpointMismatch as error:
            found.append(Finding(name, well=False, seen=error.message, remedy=error.remedy))
        else:
            found.append(Finding(name, well=True, seen=f"{folder}, license: {license_of(folder)}"))
    return [*found, _dinov3(needed=needed)]


def _dinov3(*, needed: bool) -> Finding:
    """The network of the image features: well too if it is away and nothing here asks for it."""
    try:
        path = find_dinov3()
    except CheckpointMissing as error:
        seen = error.message if needed else "not here, and no installed checkpoint needs it"
        return Finding("dinov3", well=not needed, seen=seen, remedy=error.remedy)
    remedy = "Set LSRM_DINOV3 to a file that is there."
    seen = f"{path}, license: DINOv3's own" if path.exists() else f"{path} does not exist"
    return Finding("dinov3", well=path.exists(), seen=seen, remedy=remedy)


def _system_libraries() -> Finding:
    missing = missing_libraries()
    seen = f"missing: {', '.join(missing)}" if missing else "all that Blender needs"
    return Finding("libraries", not missing, seen, install_command(missing))


def _disk() -> Finding:
    free = shutil.disk_usage(ROOT).free / 1e9
    return Finding("disk", free >= 1, f"{free:.0f} GB free", "Free a gigabyte for results.")
