# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""flash-attn behind the door of dense attention: its contract, and when torch runs instead."""

from __future__ import annotations

import logging
import sys
from dataclasses import replace

import pytest
import torch

from benchmarks.kernels.checks import compared, packed
from kernels import compressed_attention as branch
from kernels.attention import attention
from kernels.core import dispatch
from kernels.core.blocks import Blocks
from kernels.core.dispatch import forced
from kernels.core.routing_plan import RoutingPlan
from kernels.gpu import flash_attention, launch_table
from kernels.gpu.launch_table import FILE, read
from tests.kernels.gpu.flash_stand_in import FlashStandIn
from tests.kernels.gpu.simulated_gpu import GPU, simulated_gpu
from tests.kernels.sparse_cases import Case


@pytest.fixture
def gpu():
    """A GPU of compute capability 9.0."""
    with simulated_gpu() as device:
        yield device


@pytest.fixture(autouse=True)
def flash(monkeypatch):
    """The library, as if it were installed."""
    stand_in = FlashStandIn()
    monkeypatch.setitem(sys.modules, "flash_attn", stand_in.module)
    flash_attention._load.cache_clear()
    dispatch.log_choice.cache_clear()
    yield stand_in
    flash_attention._load.cache_clear()


def streams(device, dtype=torch.bfloat16, width=32, queries=12, keys=20):
    """Query, key and value of 4 and 2 heads; the value is a part of a wider tensor."""
    generator = torch.Generator().manual_seed(0)
    made = [
        torch.randn(count, heads, wide, generator=generator).to(dtype).to(device)
        for count, heads, wide in ((queries, 4, width), (keys, 2, width), (keys, 2, 2 * width))
    ]
    return made[0], made[1], made[2][..., :width]


def results(given, ends):
    """The value, and the gradients of its sum with fixed weights."""
    given = [each.detach().requires_grad_() for each in given]
    value = attention(*given, *ends)
    weights = torch.linspace(-1, 1, value.numel()).view(value.shape).to(GPU, value.dtype)
    return [value.detach(), *torch.autograd.grad(value, given, weights)]


def offsets(device, *numbers):
    return torch.tensor(numbers, device=device)  # int64: the library wants int32


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_values_and_gradients_are_those_of_torch(gpu, flash, dtype):
    """Three instances of other lengths, fewer key/value heads, a value with other strides."""
    ends = offsets(gpu, 0, 5, 6, 12), offsets(gpu, 0, 2, 19, 20)
    given = streams(gpu, dtype)
    found = results(given, ends)
    assert flash.calls == [[(5, 2), (1, 17), (6, 1)]]
    with forced("reference"):
        wanted = results([each.float() for each in given], ends)
    assert len(flash.calls) == 1
    unit = torch.finfo(dtype).eps  # of results near 1; gradients sum a dozen of such roundings
    for one, other in zip(found, wanted, strict=True):
        assert one.dtype == dtype
        torch.testing.assert_close(one.float(), other, atol=4 * unit, rtol=4 * unit)


OBSTACLES = {
    "are on cpu, not on CUDA": {"device": torch.device("cpu")},
    "does not support torch.float32": {"dtype": torch.float32},
    "12 wide: flash-attn takes multiples of 8": {"width": 12},
    "264 wide": {"width": 264},
}


@pytest.mark.parametrize("reason", OBSTACLES)
def test_torch_runs_where_the_library_cannot(gpu, flash, caplog, reason):
    """The same result, and the reason in the log, once."""
    caplog.set_level(logging.INFO, logger="kernels.core.dispatch")
    given = {"device": gpu} | OBSTACLES[reason]
    ends = offsets(given["device"], 0, 12), offsets(given["device"], 0, 20)
    for _ in range(2):
        assert attention(*streams(**given), *ends).shape == (12, 4, given.get("width", 32))
    (line,) = [each.getMessage() for each in caplog.records if "attention" in each.getMessage()]
    assert "attention: torch's own" in line
    assert reason in line
    assert not flash.calls


def test_an_empty_instance_is_left_to_torch(gpu, flash):
    """What the library gives for a sequence of no keys is not documented."""
    found = attention(*streams(gpu), offsets(gpu, 0, 5, 12), offsets(gpu, 0, 20, 20))
    assert not found[5:].any()
    assert found[:5].any()
    assert not flash.calls


def test_why_the_library_does_not_run(gpu, monkeypatch):
    """Not installed, made for another torch, an old card, or references are wanted."""
    obstacle = flash_attention.obstacle
    assert obstacle(GPU, torch.bfloat16, 32) == ""
    assert flash_attention.chosen(GPU, torch.bfloat16, 32)[0] == "flash-attn 0.0.stand-in"
    with forced("reference"):
        assert "forced" in obstacle(GPU, torch.bfloat16, 32)
    with monkeypatch.context() as patch:
        patch.setattr(torch.cuda, "get_device_capability", lambda *_: (7, 5))
        assert "(7, 5) is older" in obstacle(GPU, torch.bfloat16, 32)
    for error, said in ((ModuleNotFoundError(), "not installed"), (ImportError("_ZN3"), "_ZN3")):
        flash_attention._load.cache_clear()

        def failing(_name, error=error):
            raise error

        monkeypatch.setattr(flash_attention.importlib, "import_module", failing)
        assert said in obstacle(GPU, torch.bfloat16, 32)


def test_what_the_checks_of_a_card_compare(gpu, flash):
    """The check `dense, flash-attn` of `bench checks` passes, and fails if the library is wrong."""
    ((name, (function, inputs)),) = packed(gpu).items()
    half = [each.half() for each in inputs]
    assert compared(name, function, half).ok
    assert len(flash.calls) == 2
    attend, flash.attend = flash.attend, lambda *given, **options: 1.01 * attend(*given, **options)
    flash_attention._load().flash_attn_varlen_func = flash.attend
    assert not compared(name, function, half).ok


def test_the_compressed_branch_follows_the_measurement(gpu, flash, monkeypatch):
    """By tiles, unless flash-attn was measured to be faster; with gradients always by tiles."""
    case = Case(((3, 5, 2), (4,)), (7, 5), torch.zeros(1, 12, 1), width=32)
    offsets = case.blocks.token_offsets.to(gpu), case.blocks.instance_offsets.to(gpu)
    plan = RoutingPlan(case.query_offsets.to(gpu), Blocks(*offsets))
    query, key, value = streams(gpu, keys=4)
    monkeypatch.setattr(branch, "uses_triton", lambda _: True)
    monkeypatch.setattr(branch, "tile_attention", lambda *_, **__: ("tiles", None))
    assert branch.compressed_attention(query, key, value, plan) == "tiles"
    table = read(FILE).with_compressed(9, "a card: 1.0 ms, tiles 2.0 ms")
    monkeypatch.setattr(launch_table, "launch_table", lambda: table)
    found = branch.compressed_attention(query, key, value, plan)
    assert found.shape == query.shape
    assert flash.calls == [[(7, 3), (5, 1)]]
    learned = query.detach().requires_grad_()
    assert branch.compressed_attention(learned, key, value, plan) == "tiles"
    slower = replace(table).with_compressed(9, "")
    assert slower == read(FILE)
