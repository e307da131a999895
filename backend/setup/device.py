# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The devices of a job, and their free memory."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING

import torch

from ..shared.errors import DeviceUnavailable
from ..shared.machine.system_memory import available_memory

if TYPE_CHECKING:
    from collections.abc import Sequence


MISSING_ON_MPS = ("segment_reduce", "adaptive_max_pool3d")
"""Operations of a job that PyTorch lacks there: light is summed along rays by the first, and rays
pass over empty space by the second."""


def dtype_on(device: torch.device) -> torch.dtype:
    """Of the weights and token streams of the network on a device."""
    return torch.bfloat16 if device.type == "cuda" else torch.float32


def free_memory(device: torch.device) -> int:
    """Bytes that a job may still allocate on a device; `sys.maxsize` where that is unknown."""
    if device.type == "cuda":
        reusable = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return (
            torch.cuda.mem_get_info(device)[0] + reusable
        )  # torch keeps what earlier jobs have freed
    available = available_memory()
    return sys.maxsize if available is None else available


def free_per_rank(devices: Sequence[torch.device]) -> list[int]:
    """Bytes that each rank may still allocate; ranks on one device share what it has."""
    return [free_memory(device) // devices.count(device) for device in devices]


def choose_devices(name: str) -> tuple[torch.device, ...]:
    """The devices with a name, one per rank; the first one does what is not shared.

    A list, as in `cuda:0,1`, is for one object on several devices. On the CPU its numbers count
    worker processes: `cpu:0,1` are two.

    Args:
        name: `auto` (one device), `cpu`, `cuda`, `cuda:all`, or numbers: `cuda:1`, `cuda:0,1`.

    Raises:
        DeviceUnavailable: if this computer lacks one of them, with those that it has.
    """
    if name == "auto":
        return (torch.device("cuda" if torch.cuda.is_available() else "cpu"),)
    if name == "cpu":
        return (torch.device("cpu"),)
    if name.partition(":")[0] == "mps":
        raise DeviceUnavailable(
            f"Apple's mps cannot compute a job: PyTorch has no {' and no '.join(MISSING_ON_MPS)} "
            "for it.",
            "Use --device cpu.",
        )
    kind, _, numbers = name.partition(":")
    if not re.fullmatch(r"cpu:\d+(,\d+)*|cuda(:all|:\d+(,\d+)*)?", name):
        raise DeviceUnavailable(
            f"There is no device called {name!r}.",
            "Use auto, cpu, cuda, cuda:1, or a list: cuda:all, cuda:0,1 or cpu:0,1.",
        )
    present = torch.cuda.device_count() if kind == "cuda" else os.cpu_count() or 1
    wanted = [int(n) for n in numbers.split(",") if n.isdecimal()]
    if numbers == "all":
        wanted = list(range(present))
    _check_numbers(name, wanted or [0], present)
    if kind == "cpu":
        return (torch.device("cpu"),) * len(wanted)
    return tuple(torch.device("cuda", n) for n in wanted) or (torch.device("cuda"),)


def name_of(devices: Sequence[torch.device]) -> str:
    """The name by which `choose_devices` finds these devices again."""
    first, *others = devices
    if not others:
        return str(first)
    numbers = range(len(devices)) if first.type == "cpu" else [d.index for d in devices]
    return f"{first.type}:{','.join(map(str, numbers))}"


def _check_numbers(name: str, wanted: Sequence[int], present: int) -> None:
    """Refuse devices that this computer lacks, and those that are listed twice.

    Raises:
        DeviceUnavailable: with the devices that there are.
    """
    kind = name.partition(":")[0]
    last = f" to {kind}:{present - 1}" if present > 1 else ""
    found = f"{kind}:0{last}" if present else "no CUDA device"
    if max(wanted) >= present:
        raise DeviceUnavailable(
            f"{name} was requested; this computer has {found}.",
            "Use --device auto, or check the driver with `python3 -m backend doctor`.",
        )
    if sys.platform == "win32" and len(wanted) > 1:
        raise DeviceUnavailable(
            f"{name} lists several devices, which Windows cannot connect.", "Use one."
        )
    if len(set(wanted)) < len(wanted):
        raise DeviceUnavailable(
            f"{name} lists a device twice; this computer has {found}.", "List each device once."
        )
