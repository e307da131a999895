# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Adam is PyTorch's to the bit, and imports nothing for it."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from kernels.core.adam import Adam

BETAS = (0.8, 0.95)
WITHOUT_COMPILER = """
import sys, torch
from kernels.core.adam import Adam
parameter = torch.ones(3, requires_grad=True)
optimizer = Adam([parameter], (0.9, 0.99), fused=True)
parameter.square().sum().backward()
optimizer.step(0.1)
assert parameter.max() < 1
assert "torch._dynamo" not in sys.modules
"""


def parameters():
    """Two tensors that require gradients."""
    generator = torch.Generator().manual_seed(0)
    shapes = ((70,), (9, 3))
    return [torch.randn(shape, generator=generator).requires_grad_() for shape in shapes]


@pytest.mark.parametrize("fused", [True, False])
def test_it_moves_as_torch_does(fused):
    """Over steps of changing rate, and it forgets the gradients."""
    own, theirs = parameters(), parameters()
    optimizer = Adam(own, BETAS, fused=fused)
    other = torch.optim.Adam(theirs, betas=BETAS, fused=fused)
    for step in range(5):
        rate = 0.1 / (step + 1)
        for given in (own, theirs):
            sum((each**2).sum() + each.sin().sum() for each in given).backward()
        optimizer.step(rate)
        other.param_groups[0]["lr"] = rate
        other.step()
        other.zero_grad()
        assert all(each.grad is None for each in own)
        assert all(torch.equal(a, b) for a, b in zip(own, theirs, strict=True))
    assert not torch.equal(own[0], parameters()[0])


def test_what_nothing_depends_on_stays():
    """A parameter without a gradient is not moved, others are."""
    moved, still = parameters()
    optimizer = Adam([moved, still], BETAS, fused=True)
    moved.sum().backward()
    optimizer.step(0.1)
    first, second = parameters()
    assert torch.equal(still, second)
    assert not torch.equal(moved, first)


def test_the_compiler_is_not_imported(repository):
    """A step of a new process does without."""
    command = [sys.executable, "-c", WITHOUT_COMPILER]
    subprocess.run(command, cwd=repository, check=True)
