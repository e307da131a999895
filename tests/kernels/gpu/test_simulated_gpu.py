# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulated GPU raises the errors of CUDA, and what `bench` does on a GPU runs on it."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend

from backend.pipeline import STAGES_OF_NETWORK
from benchmarks.kernels import checks, network, timings
from benchmarks.kernels.flex import FlexAttention
from benchmarks.kernels.query_centric import gathered, one_by_one
from benchmarks.kernels.report import report_routing
from benchmarks.kernels.scene import DIRECTIONS, scene_of, toy_views
from kernels.attention import attention
from kernels.core.dispatch import forced
from kernels.selected_attention import selected_attention
from tests.kernels.gpu.network_cases import tiny_network
from tests.kernels.gpu.simulated_gpu import GPU, simulated_gpu

HEADS = (4, 2)


@pytest.fixture(autouse=True)
def gpu(monkeypatch):
    """The GPU. No kernel runs on it, so references run, also where `bench` forces Triton."""
    monkeypatch.setattr(checks, "forced", lambda _: forced("reference"))
    monkeypatch.setattr(network, "forced", lambda _: forced("reference"))
    monkeypatch.setattr(network, "FUSED", [SDPBackend.MATH])
    with simulated_gpu() as device, forced("reference"):
        yield device


ERRORS = {
    "a sum": lambda here, there: there + here,
    "a product of matrices": lambda here, there: there @ here,
    "a list of tensors": lambda here, there: torch.cat([here, there]),
    "indices of the GPU": lambda here, there: here[there[0].long()],
    "values of the CPU": lambda here, there: there.index_put((there[0].long(),), here[:2]),
    "a choice": lambda here, there: torch.where(there > 0, there, here),
    "a list of numbers": lambda here, there: torch.stack([there[0, 0], here[0, 0]]),
    "a result of the CPU": lambda here, there: torch.add(there, there, out=here),
}
ALLOWED = {
    "a number": lambda here, there: there + here[0, 0],
    "indices of the CPU": lambda here, there: there[here[0].long()],
    "a copy": lambda here, there: there.clone().copy_(here),
    "a move": lambda here, there: there + here.to(there),
    "numbers of Python": lambda here, there: there + there.new_tensor([1, 2]),
}


@pytest.mark.parametrize("name", ERRORS)
def test_tensors_of_cpu_and_gpu_do_not_mix(name):
    """Operations on tensors of both devices raise as on CUDA."""
    with pytest.raises(RuntimeError, match="same device"):
        ERRORS[name](torch.zeros(2, 2), torch.zeros(2, 2, device="cuda"))


@pytest.mark.parametrize("name", ALLOWED)
def test_operations_that_may_cross_devices_do(name):
    """What CUDA allows gives the numbers of the CPU, on the GPU."""
    here = torch.rand(2, 2)
    found = ALLOWED[name](here, here.to("cuda"))
    assert (found.device, found.is_cuda) == (GPU, True)
    assert torch.equal(found.cpu(), ALLOWED[name](here, here))


def test_numpy_does_not_see_the_memory_of_a_gpu():
    """Only a copy on the CPU can be read by numpy."""
    tensor = torch.arange(3, device="cuda")
    for look in (tensor.numpy, lambda: np.asarray(tensor)):
        with pytest.raises(TypeError, match="numpy"):
            look()
    assert tensor.cpu().numpy().tolist() == tensor.tolist() == [0, 1, 2]


def test_random_numbers_need_a_generator_of_the_gpu():
    """A generator of the CPU is an error."""
    with pytest.raises(RuntimeError, match="generator"):
        torch.rand(2, device="cuda", generator=torch.Generator())


def test_new_tensors_are_on_the_requested_device(gpu):
    """By name, by context or like another tensor; `meta` stays `meta`."""
    with torch.device("cuda"):
        by_context = nn.Linear(2, 2)
    with torch.device("meta"):
        on_meta = nn.Linear(2, 2)
    made = by_context.weight, torch.tensor([1.0], device=gpu), by_context.weight.new_zeros(2)
    assert {tensor.device for tensor in made} == {GPU}
    assert on_meta.weight.is_meta


def test_modules_move_and_learn():
    """Parameters change device and type in place, and gradients flow as on the CPU."""
    here = nn.Linear(3, 2)
    there = copy.deepcopy(here).to("cuda").double()
    given = torch.rand(4, 3)
    here(given).square().sum().backward()
    there(given.to("cuda", torch.float64)).square().sum().backward()
    assert there.weight.grad.device == GPU
    torch.testing.assert_close(there.weight.grad.cpu().float(), here.weight.grad)


def test_shapes_change_in_place():
    """A tensor of the GPU has its new shape after an operation that changes only that."""
    tensor = torch.zeros(1, 3, device="cuda")
    tensor.squeeze_(0).add_(1)
    assert (tensor.shape, tensor.tolist()) == ((3,), [1, 1, 1])


def test_the_inputs_of_the_checks_are_on_the_gpu(gpu):
    """The reference implementations accept them, forward and backward, in the types of a GPU."""
    for search in checks.searches(gpu).values():
        assert search().is_cuda
    for function, inputs in (checks.layers(gpu) | checks.fields(gpu)).values():
        short = [each.bfloat16() for each in inputs]
        for result in checks._results(function, short, "reference"):
            assert result.is_cuda
            assert result.dtype == torch.bfloat16


def test_rounding_alone_fails_no_check(gpu):
    """No input of the checks on a GPU lies where the last bits of float32 decide."""
    for name, (function, inputs) in checks.fields(gpu).items():
        assert checks.compared(name, function, inputs).ok


@pytest.mark.filterwarnings("ignore:index_reduce")
def test_the_routing_of_a_scene_is_made_on_the_gpu(gpu):
    """All that `bench kernels` compares is on the GPU, up to the kernels themselves."""
    scene = scene_of(toy_views(2), "toy", 16, gpu)
    assert set(report_routing(scene)) == set(DIRECTIONS)
    scaled = scene.repeated(2 * scene.plans["volume_to_volume"].queries)
    for plan in scaled.plans.values():
        query, key, value = timings.streams_of(plan, HEADS, torch.bfloat16)
        wanted, _ = selected_attention(query, key, value, plan.tiled(8))
        offsets = plan.blocks.token_offsets[plan.blocks.instance_offsets.long()]
        assert attention(query, key, value, plan.query_offsets, offsets).is_cuda
        mask = FlexAttention.of(plan, compiled=False).mask.kv_indices
        readers = gathered(one_by_one(plan.tiled(1)))
        assert readers.inverse.start.device == GPU
        assert wanted.device == mask.device == readers.queries.device == GPU
        first = timings.first_queries(plan, 50, keys_too=True)
        assert first.query_offsets.device == first.blocks.instance_offsets.device == GPU


def test_the_network_runs_on_the_gpu(gpu):
    """All stages of `bench network`, in bfloat16, weights and plans on the GPU."""
    found = network.run_network(toy_views(2), tiny_network(), gpu)
    assert list(found["stages"]) == list(STAGES_OF_NETWORK)
    assert all(cost["peak_gigabytes"] is not None for cost in found["stages"].values())
    assert found["exponentials"] > 0
