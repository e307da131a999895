# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the Triton kernels under Triton's interpreter, in a process of their own.

Triton decides when it is imported whether it interprets. `tests/kernels/gpu/test_interpreter.py`
runs these files so; by hand: TRITON_INTERPRET=1 pytest tests/kernels/gpu/interpreted.
"""

from __future__ import annotations

import os

import pytest
import torch

from kernels.core.dispatch import forced, interpreting

collect_ignore_glob = [] if interpreting() else ["test_*.py"]


@pytest.fixture(autouse=True)
def _triton_only():
    """All operations that a test calls run in Triton."""
    assert os.environ["TRITON_INTERPRET"]
    with forced("triton"):
        yield


@pytest.fixture(autouse=True)
def _poisoned_memory(monkeypatch):
    """New memory is full of NaN, so that elements which a kernel does not write fail the test."""
    for owner, name in ((torch, "empty"), (torch, "empty_like"), (torch.Tensor, "new_empty")):
        monkeypatch.setattr(owner, name, _poisoning(getattr(owner, name)))


def _poisoning(allocate):
    def poisoned(*arguments, **options):
        tensor = allocate(*arguments, **options)
        return tensor.fill_(torch.nan) if tensor.is_floating_point() else tensor

    return poisoned
