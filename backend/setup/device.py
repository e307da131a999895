# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Choosing the device a job runs on."""

from __future__ import annotations

import re
import sys

import torch

from ..shared.errors import DeviceUnavailable
from .system_memory import available_memory


def free_memory(device: torch.device) -> int:
    """Bytes that a job may still take on a device; without limit where nobody knows."""
    if device.type == "cuda":
        ours = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + ours  # torch keeps what earlier jobs freed
    available = available_memory()
    return sys.maxsize if available is None else available


def choose_device(name: str) -> torch.device:
    """The device called `name`: `auto`, `cpu`, `cuda` or `cuda:N`.

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
            f"{name} was asked for, but torch sees {present} CUDA devices.",
            "Use --device auto, or check the driver with `python3 -m backend doctor`.",
        )
    return device
