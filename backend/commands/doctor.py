# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `doctor`: what is installed, what is missing, and what to do about it.

Standard library only: this runs before anything is installed.
"""

from __future__ import annotations

import platform
import shutil
import sys
from importlib import util
from typing import TYPE_CHECKING

from ..setup.installation import possible_costs
from ..setup.system_libraries import install_command, missing_libraries
from ..shared.checkpoint_folders import (
    AUTO,
    find_dinov3,
    installed_checkpoints,
    license_of,
    meant_checkpoint,
    needs_dinov3,
)
from ..shared.errors import CheckpointMismatch, CheckpointMissing, EnvironmentBroken
from ..shared.exit_codes import DONE, ENVIRONMENT
from ..shared.machine.findings import Finding
from ..shared.machine.system_memory import available_memory, total_memory
from ..shared.terminal import print_json, say
from ..shared.virtual_environments import (
    ROOT,
    backend_environment,
    blender_environment,
    find_interpreter,
)

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from ..shared.virtual_environments import VirtualEnvironment

MEMORY_NEEDED = 3.0
"""Gigabytes that a reconstruction without a network needs at most."""

HASH_DIGITS = 16
"""Of a checkpoint, enough to see which one it is."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `doctor`: none of its own."""


def run(arguments: argparse.Namespace) -> int:
    """Print all findings; 0 if all are ok, else 3."""
    findings = examine()
    ok = all(finding.ok for finding in findings)
    if arguments.json:
        print_json({"ok": ok, "findings": [finding.to_dict() for finding in findings]})
    else:
        say("\n".join(str(finding) for finding in findings))
    return DONE if ok else ENVIRONMENT


def examine() -> list[Finding]:
    """Check everything; what others depend on comes first."""
    interpreter, *others = examine_process()
    return [
        interpreter,
        _environment(backend_environment()),
        *others,
        _environment(blender_environment()),
        _system_libraries(),
        _disk(),
    ]


def examine_process() -> list[Finding]:
    """Check what this process computes with: a backend that runs needs no more."""
    version = platform.python_version()
    interpreter = Finding("interpreter", ok=True, found=f"Python {version} ({sys.executable})")
    return [interpreter, *_torch(), _memory(), *_checkpoints()]


def _environment(environment: VirtualEnvironment) -> Finding:
    try:
        python = find_interpreter(environment)
    except EnvironmentBroken as error:
        return Finding(environment.name, ok=False, found=error.message, remedy=error.remedy)
    if python is not None:
        return Finding(environment.name, ok=True, found=str(python))
    sizes = " or ".join(f"{cost.download:.1f} GB" for cost in possible_costs(environment))
    remedy = f"python3 -m backend demo installs it ({sizes} to download)"
    return Finding(environment.name, ok=False, found="not installed", remedy=remedy)


def _torch() -> list[Finding]:
    if util.find_spec("torch") is None:
        return []
    import torch

    findings = [Finding("torch", ok=True, found=torch.__version__)]
    for index in range(torch.cuda.device_count()):
        card = torch.cuda.get_device_properties(index)
        findings.append(
            Finding(
                f"cuda:{index}", ok=True, found=f"{card.name}, {card.total_memory / 1e9:.0f} GB"
            )
        )
    return [*findings, _attention()]


def _attention() -> Finding:
    """What computes the attention of the dense stage on the first device, and why."""
    import torch

    from kernels.gpu.flash_attention import chosen

    from ..model.config.presets import preset

    cuda = torch.cuda.is_available()
    device, dtype = ("cuda", torch.bfloat16) if cuda else ("cpu", torch.float32)
    width = preset("lsrm-rgb").dense.transformer.head_width
    implementation, reason = chosen(torch.device(device), dtype, width)
    return Finding("attention", ok=True, found=f"{implementation} ({reason})")


def _memory() -> Finding:
    total, available = total_memory(), available_memory()
    if total is None:
        return Finding("memory", ok=True, found=f"unknown here; {MEMORY_NEEDED:.0f} GB are needed")
    usable = (total if available is None else available) / 1e9
    needed = f"{MEMORY_NEEDED:.0f} GB are needed at most"
    found = f"{usable:.1f} of {total / 1e9:.1f} GB available, {needed}"
    remedy = "Close other programs, or give fewer or smaller views."
    return Finding("memory", usable >= MEMORY_NEEDED, found, remedy)


def _checkpoints() -> list[Finding]:
    """The installed checkpoints with their licenses, and the image features that they need."""
    installed = installed_checkpoints()
    if not installed:
        found = "none installed, so --checkpoint auto is none, which needs none"
        return [Finding("checkpoints", ok=True, found=found), _dinov3(needed=False)]
    found = f"--checkpoint auto is {meant_checkpoint(AUTO)}"
    findings, needed = [Finding("checkpoints", ok=True, found=found)], False
    for name, folder in installed.items():
        try:
            needed = needs_dinov3(folder) or needed
            findings.append(Finding(name, ok=True, found=_whole_checkpoint(folder)))
        except CheckpointMismatch as error:
            findings.append(Finding(name, ok=False, found=error.message, remedy=error.remedy))
    return [*findings, _dinov3(needed=needed)]


def _whole_checkpoint(folder: Path) -> str:
    """A checkpoint with its license; where there is PyTorch, with a hash of its content, too.

    Raises:
        CheckpointMismatch: if PyTorch is there to see that it is not whole.
    """
    found = f"{folder}, license: {license_of(folder)}"
    if util.find_spec("torch") is None:
        return found
    from ..model.weights.checkpoint import open_checkpoint

    checkpoint = open_checkpoint(str(folder))
    checkpoint.check()
    return f"{found}, SHA-256 {checkpoint.fingerprint()[:HASH_DIGITS]}"


def _dinov3(*, needed: bool) -> Finding:
    """The weights of the image features; ok without them if no installed checkpoint needs them."""
    try:
        path = find_dinov3()
    except CheckpointMissing as error:
        found = error.message if needed else "not installed, and no installed checkpoint needs it"
        return Finding("dinov3", ok=not needed, found=found, remedy=error.remedy)
    remedy = "Set LSRM_DINOV3 to a file that exists."
    found = f"{path}, license: DINOv3's own" if path.exists() else f"{path} does not exist"
    return Finding("dinov3", ok=path.exists(), found=found, remedy=remedy)


def _system_libraries() -> Finding:
    missing = missing_libraries()
    found = f"missing: {', '.join(missing)}" if missing else "all that Blender needs"
    return Finding("libraries", not missing, found, install_command(missing))


def _disk() -> Finding:
    free = shutil.disk_usage(ROOT).free / 1e9
    return Finding("disk", free >= 1, f"{free:.0f} GB free", "Free 1 GB of disk space for results.")
