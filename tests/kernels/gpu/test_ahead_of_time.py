# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every kernel compiles from Ampere to Blackwell on a machine without a GPU, without spills."""

from __future__ import annotations

import re

import pytest
import torch

triton = pytest.importorskip("triton", reason="Triton is made for Linux and Windows")

from benchmarks.kernels.ahead_of_time import (  # noqa: E402 - only where Triton is
    NAMES,
    compile_attention,
    compile_for,
)
from benchmarks.kernels.sass import listing, spills  # noqa: E402
from kernels.gpu import (  # noqa: E402
    blending,
    block_mean,
    compositing,
    compression,
    gating,
    layer_norm,
    nearest,
    sparse_field,
    tile_attention_backward,
)
from kernels.gpu.launch import launch  # noqa: E402
from kernels.reference.definitions import Perceptron  # noqa: E402

SHARED_KIB = {80: 163, 89: 99, 90: 227, 100: 227, 120: 99}  # of one program, by compute capability
VARIANTS = {
    "forward": ("forward", False),
    "forward, bounded scores": ("forward", True),
    "query": ("query", False),
    "query, bounded scores": ("query", True),
    "key": ("key", False),
}
SPILLING = {
    ("query", torch.float32, 128, 120): 8,
    ("query", torch.float32, 4, 120): 2,
    ("query, bounded scores", torch.float32, 128, 120): 4,
}
"""Instructions that spill in shapes that nobody runs: type, width, compute capability.

Neither fewer nor more warps, rows or stages of the pipeline than the safe row has spill nowhere."""
RUN_MOST = ("forward, bounded scores", "query, bounded scores", "key")
FLOAT32 = {"part_ptr", "deviation_ptr"}
FLOAT32 |= {"points_ptr", "distance_ptr", "weights_ptr", "layers_ptr", "thickness_ptr"}
FLOAT32 |= {"thickness_grad_ptr", "rows_ptr", "rows_grad_ptr"}
FLOAT32 |= {"features_ptr", "layers_grad_ptr"}
INT64 = {"run_offsets_ptr", "near_ptr", "found_ptr", "offsets_ptr", "uses_ptr", "used_ptr"}
LAYERS = {
    "sum": (tile_attention_backward.sum_kernel, {"WIDTH": 32, "RUN": 64}),
    "gates": (gating.gated_sum_kernel, {"FIRST": 3, "SECOND": 0} | gating.sizes(1024)),
    "gates' gradient": (
        gating.gated_gradient_kernel,
        {"FIRST": 3, "SECOND": 0} | gating.sizes(1024),
    ),
    "both gates": (gating.gated_sum_kernel, {"FIRST": 2, "SECOND": 3} | gating.sizes(1024)),
    "both gates' gradient": (
        gating.gated_gradient_kernel,
        {"FIRST": 2, "SECOND": 3} | gating.sizes(1024),
    ),
    "compression": (compression.compress_kernel, compression.sizes(64, torch.bfloat16)),
    "norm": (layer_norm.forward_kernel, {"UPDATED": True} | layer_norm._sizes(1024)),
    "norm of heads": (layer_norm.forward_kernel, {"UPDATED": False} | layer_norm._sizes(32)),
    "norm's gradient": (layer_norm.backward_kernel, layer_norm._sizes(1024)),
    "block mean": (
        block_mean.mean_kernel,
        {"CHANNELS": block_mean.CHANNELS, "TOKENS": block_mean.TOKENS},
    ),
}


def decoding(kernel):
    """Options of a network of four layers, 32 wide."""
    return sparse_field.options(kernel, torch.empty(4, 32, 32))


RAYS = {"SAMPLES": compositing.SAMPLES, "num_warps": compositing.WARPS}
GEOMETRY = {  # in float32, of which a feature takes the most registers
    "nearest blocks": (nearest.nearest_kernel, {"AXES": 3} | nearest.sizes(16) | nearest.EXACT),
    "nearest in a view": (nearest.nearest_kernel, {"AXES": 2} | nearest.sizes(9) | nearest.EXACT),
    "light": (compositing.weights_kernel, RAYS),
    "light's gradient": (compositing.gradient_kernel, RAYS),
    "sums over rays": (compositing.sums_kernel, RAYS | {"CHANNELS": compositing.CHANNELS}),
    "blend": (
        blending.blend_kernel,
        {"POINTS": blending.POINTS, "CHANNELS": blending.CHANNELS, "num_warps": 4},
    ),
    "blend's gradient": (
        blending.spread_kernel,
        {"ENTRIES": blending.ENTRIES, "CHANNELS": blending.CHANNELS, "num_warps": 1},
    ),
    "decode": (sparse_field.decode_kernel, {"SIDE": 4} | decoding("decode")),
    "decode's gradient": (sparse_field.gradient_kernel, decoding("gradient")),
    "surfaces": (
        nearest.surface_kernel,
        {"PAIRS": nearest.PAIRS, "PIXELS": nearest.PIXELS} | nearest.EXACT,
    ),
}


@pytest.fixture(autouse=True)
def _fresh_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))


def compiled(kernel, constants, dtype, capability):
    """The kernel as launched with these constants, for this capability."""
    return compile_for(kernel, constants, capability, lambda name: argument_type(name, dtype))


def argument_type(name, dtype):
    """The type of an argument in Triton's signature, which follows from its name."""
    values, floats, integers = f"*{NAMES[dtype]}", "*fp32", "*i32"
    groups = {"network": Perceptron(*[values] * 4)}
    groups["volume"] = sparse_field.Volume(floats, integers, floats)
    groups["extent"] = sparse_field.Extent("fp32", *["i32"] * 3)
    groups |= dict.fromkeys(("gates", "gates_grads"), gating.Gates(*[values] * 3))
    groups |= dict.fromkeys(("branches", "branches_grads"), gating.Branches(*[values] * 5))
    if name in groups:
        return groups[name]
    if name in ("eps", "far_squared", "half_side", "dark"):
        return "fp32"
    if not name.endswith("_ptr"):
        return "i32"
    if name in FLOAT32:
        return floats
    if re.match(r"query_|out_|grad_|logits|first|second|third|stream|update|sum", name):
        return values
    if re.match(r"values|mean", name):
        return values
    return "*i64" if name in INT64 else integers


def check(kernel, capability, most_spills=0):
    """No spills, shared memory within the GPU's limit."""
    assert kernel.metadata.shared <= SHARED_KIB[capability] * 1024
    assert spills(listing(kernel.asm["cubin"])) <= most_spills


def attention_kernel(name, dtype, shape, capability):
    """One attention kernel for (queries of a tile, heads, width)."""
    kernel, bounded = VARIANTS[name]
    found = launch(kernel, dtype, shape, capability // 10)
    return compile_attention(kernel, found, dtype, capability, bounded=bounded)


@pytest.mark.parametrize("capability", SHARED_KIB)
@pytest.mark.parametrize("name", RUN_MOST)
def test_tuned_attention(name, capability):
    """The paper's shape: 8 queries of 16 heads, width 32, bfloat16; warpgroup MMA on Hopper."""
    kernel = attention_kernel(name, torch.bfloat16, (8, 16, 32), capability)
    check(kernel, capability)
    if capability == 90:
        assert "wgmma.mma_async" in kernel.asm["ptx"]


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name):
    """Everything around attention, on the oldest GPU."""
    kernel, constants = LAYERS[name]
    check(compiled(kernel, constants, torch.bfloat16, 80), 80)


@pytest.mark.parametrize(
    ("name", "tensors"), {"both gates": 12, "both gates' gradient": 13}.items()
)
def test_gates_move_16_bytes_at_a_time(name, tensors):
    """A thread has 8 numbers of bfloat16 of each tensor; gates and branches are read once more."""
    kernel, constants = LAYERS[name]
    ptx = compiled(kernel, constants, torch.bfloat16, 90).asm["ptx"]
    loads, wide = len(re.findall(r"ld\.global", ptx)), len(re.findall(r"ld\.global\S*v4\.b32", ptx))
    assert loads == wide
    assert tensors <= loads <= 2 * tensors


@pytest.mark.parametrize("name", GEOMETRY)
def test_geometry(name):
    """Routing and the field, on the oldest GPU; products that must round are not fused."""
    kernel, constants = GEOMETRY[name]
    found = compiled(kernel, constants, torch.float32, 80)
    check(found, 80)
    if not constants.get("enable_fp_fusion", True):
        assert "fma.rn.f32" not in found.asm["ptx"]


@pytest.mark.slow
@pytest.mark.parametrize("capability", SHARED_KIB)
@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("dtype", list(NAMES), ids=list(NAMES.values()))
def test_layers_everywhere(name, dtype, capability):
    """Everything around attention, on all GPUs."""
    kernel, constants = LAYERS[name]
    check(compiled(kernel, constants, dtype, capability), capability)


@pytest.mark.slow
@pytest.mark.parametrize("capability", SHARED_KIB)
@pytest.mark.parametrize("name", GEOMETRY)
def test_geometry_everywhere(name, capability):
    """Routing and the field, on all GPUs."""
    kernel, constants = GEOMETRY[name]
    check(compiled(kernel, constants, torch.float32, capability), capability)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("capability", SHARED_KIB)
@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("dtype", list(NAMES), ids=list(NAMES.values()))
@pytest.mark.parametrize("tile", [8, 1])
@pytest.mark.parametrize("width", [4, 32, 64, 128])
def test_every_shape(name, dtype, tile, width, capability):
    """All types and widths, and the query-centric fallback, without spills but for `SPILLING`."""
    kernel = attention_kernel(name, dtype, (tile, 16, width), capability)
    check(kernel, capability, SPILLING.get((name, dtype, width, capability), 0))
