# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernels compiled for a GPU that is not here, with what a launch would tell the compiler."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from kernels.gpu.tile_attention import forward_kernel
from kernels.gpu.tile_attention_backward import Readers, Saved, key_kernel, query_kernel
from kernels.gpu.tile_memory import Sizes, Streams, TileRuns

if TYPE_CHECKING:
    from collections.abc import Callable

    from kernels.gpu.launch import Launch

NAMES = {torch.bfloat16: "bf16", torch.float16: "fp16", torch.float32: "fp32"}
ATTENTION = {"forward": forward_kernel, "query": query_kernel, "key": key_kernel}
_OPTIONS = ("num_warps", "num_stages", "enable_fp_fusion")


def compile_for(
    kernel: Any, constants: dict[str, Any], capability: int, argument_type: Callable[[str], Any]
) -> Any:
    """A kernel as launched with these constants, for a compute capability such as 90.

    Args:
        kernel: with Triton's decorator.
        constants: what it is compiled for, and options of the compiler.
        capability: of the GPU.
        argument_type: of every other argument by its name: Triton's type, or a tuple of these.
    """
    options = {name: constants[name] for name in _OPTIONS if name in constants}
    constants = {name: constants[name] for name in kernel.arg_names if name in constants}
    signature = {
        name: "constexpr" if name in constants else argument_type(name) for name in kernel.arg_names
    }
    aligned: dict[tuple[int, ...], Any] = {}
    for position, (name, kind) in enumerate(signature.items()):
        if isinstance(kind, tuple):
            for inner, (field, part) in enumerate(kind._asdict().items()):  # type: ignore[attr-defined]
                aligned |= _divisible((position, inner), field, part)
        else:
            aligned |= _divisible((position,), name, kind)
    source = ASTSource(kernel, signature, constants, aligned)
    return triton.compile(source, target=GPUTarget("cuda", capability, 32), options=options)


def compile_attention(
    name: str, launch: Launch, dtype: torch.dtype, capability: int, *, bounded: bool = False
) -> Any:
    """An attention kernel in one launch.

    Args:
        name: "forward", "query" or "key".
        launch: sizes of a program.
        dtype: of the streams.
        capability: of the GPU.
        bounded: whether scores are bounded, which only the forward knows.
    """
    constants = launch.options | {"KEYS": launch.keys, "BOUNDED": bounded}
    return compile_for(
        ATTENTION[name], constants, capability, lambda field: attention_argument(field, dtype)
    )


def attention_argument(name: str, dtype: torch.dtype) -> Any:
    """The type of an argument of an attention kernel, which follows from its name."""
    values, floats, integers = f"*{NAMES[dtype]}", "*fp32", "*i32"
    groups = {
        "streams": Streams(values, values, values),
        "runs": TileRuns(integers, "*i64", "*i64"),
        "sizes": Sizes("fp32", *["i32"] * 3),
        "saved": Saved(values, values, floats),
        "readers": Readers(*[integers] * 6),
    }
    if name in groups:
        return groups[name]
    return floats if re.match(r"lse|delta|key_part|value_part", name) else values


def _divisible(path: tuple[int, ...], name: str, kind: str) -> dict[tuple[int, ...], Any]:
    """What the launcher would detect: aligned tensors, and sizes that are multiples of 16."""
    divides = kind.startswith("*") or name in ("width", "group", "channels")
    return {path: [["tt.divisibility", 16]]} if divides else {}
