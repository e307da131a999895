# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The memory of a job that has no views yet, on this processor and on a card that is not there."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from backend.commands import serve
from backend.planned_memory import plan_job
from backend.request import ReconstructRequest
from backend.shared.errors import DeviceUnavailable, OutOfMemory
from backend.shared.progress import Progress
from tests.small_checkpoint import write_small_checkpoint

GB = 10**9


def request(checkpoint: str = "none", device: str = "cpu", refine: str = "auto"):
    return ReconstructRequest(Path(), Path(), checkpoint, device=device, refine=refine)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return str(write_small_checkpoint(tmp_path_factory.mktemp("weights") / "small"))


@pytest.fixture
def card(monkeypatch):
    """The bytes of a card that PyTorch is made to report."""
    numbers = {"free": 20 * GB, "total": 24 * GB}
    functions = {
        "is_available": lambda: True,
        "device_count": lambda: 1,
        "mem_get_info": lambda _: (numbers["free"], numbers["total"]),
        "memory_reserved": lambda _: 0,
        "memory_allocated": lambda _: 0,
        "get_device_properties": lambda _: SimpleNamespace(
            name="Card", total_memory=numbers["total"]
        ),
    }
    for name, function in functions.items():
        monkeypatch.setattr(torch.cuda, name, function)
    return numbers


def test_a_processor_says_what_it_has_and_a_network_what_it_needs(checkpoint):
    """Without a network the panel estimates main memory itself."""
    alone = plan_job(request(), 16, 512)
    assert (alone.device, alone.card, alone.needed) == ("cpu", "", None)
    few, many = (plan_job(request(checkpoint), count, 512).needed for count in (4, 64))
    assert 0 < few < many


def test_a_card_has_room_for_usual_jobs(card, checkpoint):
    """More and larger views need more; so does a fit; a network is planned beside the stages."""
    planned = plan_job(request(device="cuda"), 16, 512)
    assert (planned.card, planned.total, planned.free) == ("Card", 24 * GB, 20 * GB)
    more = plan_job(request(device="cuda"), 64, 1024).needed
    assert plan_job(request(device="cuda", refine="off"), 16, 512).needed < planned.needed < more
    assert plan_job(request(checkpoint, "cuda"), 16, 512).needed >= planned.needed


def test_a_card_that_is_full_or_missing_is_refused(card, checkpoint):
    """With the stage, what is free, and a remedy, as the job itself would be; or its device."""
    card["free"] = 10**6
    with pytest.raises(OutOfMemory, match=r"needs about .* cuda has 0\.0 GB.*fewer views"):
        plan_job(request(checkpoint, "cuda"), 16, 512)
    with pytest.raises(OutOfMemory, match=r"stage \w+ needs .*smaller texture"):
        plan_job(request(device="cuda"), 16, 512)
    with pytest.raises(DeviceUnavailable):
        plan_job(request(device="cuda:3"), 16, 512)


def test_the_backend_answers_what_it_is_and_what_it_plans():
    """As the panel asks it: with the parameters of a job, which has no folders yet."""
    params = {"checkpoint": "none", "material": "auto", "refine": "off", "device": "cpu"}
    answer = serve.plan({**params, "count": 16, "size": 512}, Progress())
    assert set(answer) == {"device", "card", "total", "free", "needed"}
    findings = serve.examine({}, Progress())["findings"]
    assert {"interpreter", "torch", "memory"} <= {each["name"] for each in findings}
    assert not {"blender", "libraries"} & {each["name"] for each in findings}
