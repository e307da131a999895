# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Work distributed over threads is all done, once, and leaves torch's threads as they were."""

from __future__ import annotations

import threading

import pytest
import torch

from kernels.core.workers import MOST_WORKERS, run_in_parts
from tests.kernels.sparse_cases import adversarial_cases, attend


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
