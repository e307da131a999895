# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The memory of a GPU, simulated: what is free for a job, and the peak of its stages."""

from __future__ import annotations

import pytest
import torch

from backend.result.report import Report
from backend.setup.device import free_memory
from backend.shared.progress import Progress

MIB = 1 << 20


@pytest.fixture
def gpu(monkeypatch):
    """Numbers of bytes that PyTorch reports for its GPU."""
    numbers = {"free": 4, "reserved": 19, "allocated": 1, "peak": 0}

    def reset(_device):
        numbers["peak"] = 0

    functions = {
        "mem_get_info": lambda _: (numbers["free"] * MIB, 24 * MIB),
        "memory_reserved": lambda _: numbers["reserved"] * MIB,
        "memory_allocated": lambda _: numbers["allocated"] * MIB,
        "max_memory_allocated": lambda _: numbers["peak"] * MIB,
        "reset_peak_memory_stats": reset,
        "is_initialized": lambda: True,
    }
    for name, function in functions.items():
        monkeypatch.setattr(torch.cuda, name, function)
    return numbers


def test_memory_cached_by_pytorch_is_free(gpu):
    """4 MiB are free on the GPU, and 18 of the 19 that PyTorch has reserved: 22."""
    assert free_memory(torch.device("cuda")) == 22 * MIB
    gpu["allocated"] = 19
    assert free_memory(torch.device("cuda:0")) == 4 * MIB


def test_each_stage_reports_its_peak_memory(gpu):
    """Not that of an earlier stage, or of an earlier job of the same process."""
    report = Report(request={}, device="cuda", checkpoint={})
    gpu["peak"] = 20
    for name, peak in (("dense stage", 12), ("mesh", 3)):
        with report.stage(name, Progress()):
            gpu["peak"] += peak
    report.leave_out("refine", "off")
    assert [stage.peak_device_memory_mb for stage in report.stages] == [12, 3, None]


def test_peak_memory_without_gpu():
    """Without a GPU the entry of the report is None."""
    report = Report(request={}, device="cpu", checkpoint={})
    with report.stage("mesh", Progress()):
        pass
    assert report.to_dict()["stages"][0]["peak_device_memory_mb"] is None
