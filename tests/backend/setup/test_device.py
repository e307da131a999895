# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Devices by their names; the memory of a simulated GPU: what is free, the peak of stages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
import torchgen

from backend.result.report import Report
from backend.setup.device import MISSING_ON_MPS, choose_devices, free_memory, name_of
from backend.shared.errors import DeviceUnavailable
from backend.shared.progress import Progress

MIB = 1 << 20
CPU = torch.device("cpu")


@pytest.fixture
def gpu(monkeypatch):
    """Numbers of bytes that PyTorch reports for its GPU."""
    numbers = {"free": 4, "reserved": 19, "allocated": 1, "peak": 0, "waits": 0}

    def reset(_device):
        numbers["peak"] = 0

    def wait(_device):
        numbers["waits"] += 1

    functions = {
        "mem_get_info": lambda _: (numbers["free"] * MIB, 24 * MIB),
        "memory_reserved": lambda _: numbers["reserved"] * MIB,
        "memory_allocated": lambda _: numbers["allocated"] * MIB,
        "max_memory_allocated": lambda _: numbers["peak"] * MIB,
        "reset_peak_memory_stats": reset,
        "is_initialized": lambda: True,
        "synchronize": wait,
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
            before = gpu["waits"]
        assert gpu["waits"] == before + 1  # what the card still computes belongs to this stage
    report.leave_out("refine", "off")
    assert [stage.peak_device_memory_mb for stage in report.stages] == [12, 3, None]


def test_peak_memory_without_gpu():
    """Without a GPU the entry of the report is None."""
    report = Report(request={}, device="cpu", checkpoint={})
    with report.stage("mesh", Progress()):
        pass
    assert report.to_dict()["stages"][0]["peak_device_memory_mb"] is None


@pytest.fixture
def computer(monkeypatch):
    """A computer with four processors and a number of cards, three unless it is changed."""
    cards = {"count": 3}
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cards["count"])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cards["count"] > 0)
    return cards


@pytest.mark.parametrize(
    ("name", "devices"),
    [
        ("auto", ["cuda"]),
        ("cpu", ["cpu"]),
        ("cpu:0", ["cpu"]),
        ("cpu:0,3", ["cpu", "cpu"]),
        ("cuda", ["cuda"]),
        ("cuda:2", ["cuda:2"]),
        ("cuda:2,0", ["cuda:2", "cuda:0"]),
        ("cuda:all", ["cuda:0", "cuda:1", "cuda:2"]),
    ],
)
def test_devices_by_name(computer, name, devices):
    """A list has one device per rank, in its order, and has a name again."""
    found = choose_devices(name)
    assert [str(device) for device in found] == devices
    assert choose_devices(name_of(found)) == found


def test_automatic_is_one_device(computer):
    """One card, however many there are, or the CPU; all cards of one are one device."""
    computer["count"] = 0
    assert choose_devices("auto") == (CPU,)
    computer["count"] = 1
    assert choose_devices("cuda:all") == (torch.device("cuda:0"),)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cuda:3", "cuda:0 to cuda:2"),
        ("cuda:0,3", "cuda:0 to cuda:2"),
        ("cuda:1,1", "twice"),
        ("cpu:0,4", "cpu:0 to cpu:3"),
        ("cpu:0,0", "twice"),
        ("mps", "no segment_reduce and no adaptive_max_pool3d"),
        ("mps:0", "Apple's mps"),
        *((name, "There is no device called") for name in (
            "", "tpu:0", "cuda:x", "cpu:all", "cpu:0 ", "cpu:0,", "cuda:0,,1", "CUDA",
            "cuda:-1", "cuda:0,cuda:1", "auto:0,1",
        )),
    ],
)  # fmt: skip
def test_wrong_device_lists(computer, name, words):
    """The error names what was requested and what there is."""
    with pytest.raises(DeviceUnavailable, match=words):
        choose_devices(name)


@pytest.mark.parametrize("operation", MISSING_ON_MPS)
def test_mps_still_lacks_what_keeps_it_out(operation):
    """Once PyTorch's own list of operations has them for mps, a job may be tried there."""
    listed = Path(torchgen.__file__).parent / "packaged/ATen/native/native_functions.yaml"
    entries = listed.read_text("utf-8").split("\n- func: ")
    found = [each for each in entries if re.match(rf"{operation}[.(]", each)]
    assert found
    assert not any("MPS" in each for each in found)


def test_no_cards(computer):
    """Without a card every list of cards is wrong."""
    computer["count"] = 0
    for name in ("cuda", "cuda:0", "cuda:0,1", "cuda:all"):
        with pytest.raises(DeviceUnavailable, match="this computer has no CUDA device"):
            choose_devices(name)
