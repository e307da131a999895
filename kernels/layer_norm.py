# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Layer norm without parameters, in float32 whatever the dtype, after an optional residual sum."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.nn import functional as F

from .core.dispatch import run_triton, uses_triton
from .core.precision import widened
from .reference.definitions import LAYER_NORM_EPS

if TYPE_CHECKING:
    from torch import Tensor


def layer_norm(stream: Tensor, update: Tensor | None = None) -> Tensor:
    """Zero mean and unit variance over the last axis of stream (+ update).

    Args:
        stream: [..., width]; a width of one head for the norm of queries and keys.
        update: like stream; the sum is rounded to their dtype, as if it were a tensor.

    Returns:
        Like stream.

    Raises:
        ValueError: if stream and update differ in shape.
    """
    if update is not None and update.shape != stream.shape:
        raise ValueError(f"an update {list(update.shape)} for a stream {list(stream.shape)}")
    if uses_triton(stream):
        from .gpu.layer_norm import FusedLayerNorm

        fused: Tensor = run_triton(FusedLayerNorm.apply, stream, update)
        return fused
    total = stream if update is None else stream + update
    wide = widened(total)
    return F.layer_norm(wide, wide.shape[-1:], eps=LAYER_NORM_EPS).to(stream.dtype)
