# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Work distributed over threads is all done, once, and leaves torch's threads as they were."""

from __future__ import annotations

import threading

import pytest
import torch

from kernels.core.workers import MOST_WORKERS, map_per_core, run_in_parts
from tests.kernels.sparse_cases import adversarial_cases, attend

GPU = torch.device("cuda", 0)


@pytest.fixture(params=[1, 3, MOST_WORKERS + 2])
def threads(request):
    """Torch on so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def test_every_part_is_done_once_and_alone(threads):
    """Parts are numbered, come back in order, compute on one thread, and record no gradient."""

    def work(part, parts):
        seen = torch.get_num_threads(), torch.is_grad_enabled(), threading.current_thread().name
        return part, parts, seen

    found = run_in_parts(work)
    parts = min(threads, MOST_WORKERS)
    assert [each[:2] for each in found] == [(part, parts) for part in range(parts)]
    assert {each[2][:2] for each in found} == {(1, False)}
    assert torch.get_num_threads() == threads
    assert torch.is_grad_enabled()


def test_errors_are_raised(threads):
    """An error in a part is raised, and torch has its threads again."""
    with pytest.raises(ZeroDivisionError):
        run_in_parts(lambda part, _: 1 / part)
    assert torch.get_num_threads() == threads


def test_attention_does_not_depend_on_threads(threads):
    """Values are the same bits; gradients of keys are other sums, but the same every time."""
    case = adversarial_cases()["instances of different size"]
    tensors = case.tensors(torch.float64)
    several = [attend(case, tensors, tile=4) for _ in range(2)]
    torch.set_num_threads(1)
    alone = attend(case, tensors, tile=4)
    for name, found in several[0].items():
        assert torch.equal(found, several[1][name])
        torch.testing.assert_close(found, alone[name])
    assert all(torch.equal(several[0][name], alone[name]) for name in ("out", "lse", "query"))


@pytest.mark.parametrize("device", [None, torch.device("cpu"), GPU])
def test_results_are_in_order(threads, device):
    """As `map` gives them, also of nothing; without gradients."""
    found = list(map_per_core(lambda item: (item, torch.is_grad_enabled()), range(50), device))
    assert found == [(item, False) for item in range(50)]
    assert list(map_per_core(abs, [], device)) == []
    assert torch.is_grad_enabled()


def test_a_cpu_works_on_as_many_as_it_has_cores(monkeypatch):
    """Two items wait for each other, which one thread could not do."""
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    meeting = threading.Barrier(2, timeout=30)
    assert sorted(map_per_core(lambda _: meeting.wait(), range(2))) == [0, 1]


def test_a_gpu_works_on_one_after_the_other():
    """In the thread that asks for the results."""
    found = map_per_core(lambda _: threading.current_thread(), range(3), GPU)
    assert set(found) == {threading.current_thread()}


@pytest.mark.parametrize("device", [None, GPU])
def test_a_check_ends_the_work(threads, device):
    """What it raises is raised; items that other threads have begun come to their end."""
    begun = []

    def check():
        if begun:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        list(map_per_core(begun.append, range(100), device, check))
    assert 1 <= len(begun) <= threads


@pytest.mark.parametrize("device", [None, GPU])
def test_an_item_that_fails_fails_the_whole(device):
    """Its error is raised."""
    with pytest.raises(ZeroDivisionError):
        list(map_per_core(lambda item: 1 / item, [1, 0, 2], device))
