# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attention of packed sequences by flash-attn, where it is installed: the extra `flash`.

Only its documented function for sequences of different lengths is called. It takes float16 and
bfloat16, offsets as int32, and any number of query heads per key/value head.
"""

from __future__ import annotations

import functools
import importlib
import math
from typing import TYPE_CHECKING, Any

import torch

from ..core.dispatch import choice, log_choice

if TYPE_CHECKING:
    from torch import Tensor

DTYPES = (torch.float16, torch.bfloat16)
_OLDEST = (8, 0)  # compute capability
_WIDEST, _WIDTH_STEP = 256, 8  # of a head


def uses_flash(query: Tensor) -> bool:
    """Whether flash-attn computes the attention of these queries [queries, heads, D]."""
    device, dtype, width = query.device, query.dtype, query.shape[2]
    found = obstacle(device, dtype, width)
    log_choice("attention", *_named(found, device, dtype))
    return not found


def chosen(device: torch.device, dtype: torch.dtype, width: int) -> tuple[str, str]:
    """Which implementation runs, with its version, and why; arguments as for `obstacle`."""
    return _named(obstacle(device, dtype, width), device, dtype)


def _named(found: str, device: torch.device, dtype: torch.dtype) -> tuple[str, str]:
    """What runs with an obstacle, or with none, and why."""
    if found:
        return "torch's own", found
    return f"flash-attn {_load().__version__}", f"{dtype} on {device.type}"


def obstacle(device: torch.device, dtype: torch.dtype, width: int) -> str:
    """What keeps flash-attn from computing here; empty if nothing does.

    Args:
        device: of the streams.
        dtype: of the streams.
        width: of a head.
    """
    if choice() == "reference":
        return "reference implementations are forced"
    if device.type != "cuda":
        return f"the tensors are on {device.type}, not on CUDA"
    if dtype not in DTYPES:
        return f"flash-attn does not support {dtype}"
    if width % _WIDTH_STEP or width > _WIDEST:
        return f"heads are {width} wide: flash-attn takes multiples of 8 up to {_WIDEST}"
    capability = torch.cuda.get_device_capability(device)
    if capability < _OLDEST:
        return f"compute capability {capability} is older than {_OLDEST}"
    module = _load()
    return module if isinstance(module, str) else ""


def packed_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    offsets: tuple[Tensor, Tensor],
    longest: tuple[int, int],
) -> Tensor:
    """softmax(q k^T / sqrt(D)) v inside each instance, where none lacks queries or keys.

    Gradients are summed in a fixed order, so that two runs give the same bits.

    Args:
        query: [queries, query heads, D].
        key: [keys, key/value heads, D].
        value: like key.
        offsets: queries and keys before each instance, [instances + 1] int each.
        longest: queries and keys of the instance that has the most.

    Returns:
        [queries, query heads, D].
    """
    out: Tensor = _load().flash_attn_varlen_func(
        query.contiguous(),
        key.contiguous(),
        value.contiguous(),
        *(each.to(query.device, torch.int32).contiguous() for each in offsets),
        *longest,
        softmax_scale=1 / math.sqrt(query.shape[2]),
        causal=False,
        deterministic=True,
    )
    return out


@functools.cache
def _load() -> Any:
    """The library; what it says instead, if it is not installed or does not fit this torch."""
    try:
        return importlib.import_module("flash_attn")
    except ModuleNotFoundError:
        return "flash-attn, the extra flash, is not installed"
    except ImportError as error:  # as built for another torch
        return f"flash-attn does not load: {error}"
