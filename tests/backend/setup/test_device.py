# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The memory of a card, without one: what is free to a job, and what its stages held."""

from __future__ import annotations

import pytest
import torch

from backend.result.report import Report
from backend.setup.device import free_memory
from backend.shared.progress import Progress

MIB = 1 << 20


@pytest.fixture
def card(monkeypatch):
    """The numbers of a card, which torch then tells."""
    numbers = {"free": 4, "reserved": 19, "allocated": 1, "peak": 0}

    def reset(_device):
        numbers["peak"] = 0

    told = {
        "mem_get_info": lambda _: (numbers["free"] * MIB, 24 * MIB),
        "memory_reserved": lambda _: numbers["reserved"] * MIB,
        "memory_allocated": lambda _: numbers["allocated"] * MIB,
        "max_memory_allocated": lambda _: numbers["peak"] * MIB,
        "reset_peak_memory_stats": reset,
        "is_initialized": lambda: True,
    }
    for name, function in told.items():
        monkeypatch.setattr(torch.cuda, name, function)
    return numbers


def test_what_torch_keeps_is_free_to_the_next_job(card):
    """A warm backend has the card's memory in its cache: 4 MiB free and 18 of 19 unused are 22."""
    assert free_memory(torch.device("cuda")) == 22 * MIB
    card["allocated"] = 19
    assert free_memory(torch.device("cuda:0")) == 4 * MIB


def test_each_stage_tells_what_it_held_of_the_card(card):
    """Not what an earlier stage, or an earlier job of the same process, had held."""
    report = Report(request={}, device="cuda", checkpoint={})
    card["peak"] = 20
    for name, peak in (("dense stage", 12), ("mesh", 3)):
        with report.stage(name, Progress()):
            card["peak"] += peak
    report.leave_out("refine", "off")
    assert [stage.peak_device_memory_mb for stage in report.stages] == [12, 3, None]


def test_a_cpu_has_no_memory_of_its_own():
    """Without a card the entry is there, and empty."""
    report = Report(request={}, device="cpu", checkpoint={})
    with report.stage("mesh", Progress()):
        pass
    assert report.to_dict()["stages"][0]["peak_device_memory_mb"] is None
