# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every launch, with the arguments that a GPU would get, up to the GPU itself.

Triton's driver reports a Hopper GPU that is not there: each kernel is specialized and compiled for
its arguments as for that GPU, and not run. So these tests do not check results.
"""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch

triton = pytest.importorskip("triton", reason="Triton is made for Linux and Windows")

from triton.backends.compiler import GPUTarget  # noqa: E402 - only where Triton is
from triton.runtime import JITFunction, driver  # noqa: E402

from benchmarks.kernels.checks import fields, layers, searches  # noqa: E402
from kernels.core import dispatch  # noqa: E402

CPU = torch.device("cpu")


class NoCard:
    """What Triton's compiler reads from a driver: target, device and stream."""

    get_current_target = staticmethod(lambda: GPUTarget("cuda", 90, 32))
    get_current_device = staticmethod(lambda: 0)
    get_current_stream = staticmethod(lambda _device: 0)


@pytest.fixture(autouse=True)
def compiled(monkeypatch, tmp_path):
    """Kernels are compiled and not run; the names of those that were."""
    names, run = [], JITFunction.run

    def compile_only(self, *arguments, grid, warmup, **options):
        names.append(self.fn.__name__)
        return run(self, *arguments, grid=grid, warmup=True, **options)

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(JITFunction, "run", compile_only)
    monkeypatch.setattr(torch.cuda, "device_of", lambda _: nullcontext())
    monkeypatch.setattr(dispatch, "_obstacle", lambda *_: "")
    monkeypatch.setattr(driver, "_active", NoCard())
    return names


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32], ids=str)
@pytest.mark.parametrize("name", layers(CPU))
def test_layers(name, dtype, compiled):
    """Forward and backward of everything in a sparse layer."""
    launch(*layers(CPU)[name], dtype)
    assert compiled


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("name", fields(CPU))
def test_short_fields(name, dtype, compiled):
    """Forward and backward of everything that renders or meshes, in 16 bits."""
    launch(*fields(CPU)[name], dtype)
    assert compiled


@pytest.mark.parametrize("name", fields(CPU))
def test_fields(name, compiled):
    """The same in float32, which is what the field runs in."""
    launch(*fields(CPU)[name], torch.float32)
    assert compiled


@pytest.mark.parametrize("name", searches(CPU))
def test_searches(name, compiled):
    """Routing by distance."""
    searches(CPU)[name]()
    assert compiled


def test_a_layer_in_bfloat16(compiled):
    """What runs most: selected attention, both ways, and the gates."""
    for name in ("selected", "both gates"):
        launch(*layers(CPU)[name], torch.bfloat16)
    wanted = {"forward_kernel", "query_kernel", "key_kernel", "sum_kernel", "gated_sum_kernel"}
    assert wanted <= set(compiled)


def launch(function, inputs, dtype):
    """Value and gradients."""
    given = [each.to(dtype).requires_grad_() for each in inputs]
    value = function(*given)
    torch.autograd.grad(value, given, torch.ones_like(value))
