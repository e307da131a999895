# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole network by the Triton kernels alone, on a simulated GPU."""

from __future__ import annotations

import pytest
import torch
from torch.nn.attention import SDPBackend

from backend import pipeline
from benchmarks.kernels import network
from benchmarks.kernels.scene import toy_views
from tests.kernels.gpu.network_cases import tiny_network
from tests.kernels.gpu.simulated_gpu import simulated_gpu


@pytest.fixture(autouse=True)
def _poisoned_memory():
    """No poisoned memory: torch must recognize the functions that initialize weights."""


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_no_reference_runs_on_a_gpu(monkeypatch):
    """From views to the sparse field every kernel is Triton's; `bench` raises where one is not."""
    # The interpreter refuses bfloat16.
    monkeypatch.setattr(pipeline, "dtype_on", lambda _: torch.float16)
    monkeypatch.setattr(network, "FUSED", [SDPBackend.MATH])  # torch's fused attention has no GPU
    with simulated_gpu() as gpu:
        found = network.run_network(toy_views(2), tiny_network(), gpu)
    assert found["tokens"]["volume_tokens"] > 100
    assert found["exponentials"] > 0
