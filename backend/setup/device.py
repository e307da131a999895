# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The device of a job, and its free memory."""

from __future__ import annotations

import re
import sys

import torch

from ..shared.errors import DeviceUnavailable
from ..shared.system_memory import available_memory


def free_memory(device: torch.device) -> int:
    """Bytes that a job may still allocate on a device; `sys.maxsize` where that is unknown."""
    if device.type == "cuda":
        reusable = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return (
            torch.cuda.mem_get_info(device)[0] + reusable
        )  # torch keeps what earlier jobs have freed
    available = available_memory()
    return sys.maxsize if available is None else available


def choose_device(name: str) -> torch.device:
    """The device with a name: `auto`, `cpu`, `cuda` or `cuda:N`.

    Raises:
        DeviceUnavailable: if this computer has no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if not re.fullmatch(r"cpu|cuda(:\d+)?", name):
        raise DeviceUnavailable(
            f"There is no device called {name!r}.", "Use auto, cpu, cuda or cuda:0."
        )
    device = torch.device(name)
    present = torch.cuda.device_count()
    if device.type == "cuda" and (device.index or 0) >= present:
        raise DeviceUnavailable(
            f"{name} was requested, but PyTorch finds {present} CUDA devices.",
            "Use --device auto, or check the driver with `python3 -m backend doctor`.",
        )
    return device
