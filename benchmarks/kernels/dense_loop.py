# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plain dense attention in Triton, of which speeds are published: what checks the model."""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def dense_kernel(
    query_ptr,  # [heads, tokens, WIDTH]
    key_ptr,  # like query
    value_ptr,  # like query
    out_ptr,  # like query
    tokens,
    scale,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    WIDTH: tl.constexpr,
    BOUNDED: tl.constexpr,
):
    """ROWS queries of one head; with BOUNDED, without a running maximum."""
    channel = tl.arange(0, WIDTH)[None, :]
    first = tl.program_id(1).to(tl.int64) * tokens * WIDTH
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)[:, None]
    column = tl.arange(0, COLUMNS)[:, None]
    query = tl.load(query_ptr + first + row * WIDTH + channel)
    largest = tl.full([ROWS], -float("inf"), tl.float32)
    total = tl.zeros([ROWS], tl.float32)
    out = tl.zeros([ROWS, WIDTH], tl.float32)
    for begin in range(0, tokens, COLUMNS):
        place = first + (begin + column) * WIDTH + channel
        key = tl.load(key_ptr + place)
        value = tl.load(value_ptr + place)
        score = tl.dot(query, key.T)
        if BOUNDED:
            weight = tl.exp2(score * scale)
        else:
            peak = tl.maximum(largest, tl.max(score, 1) * scale)
            weight = tl.exp2(tl.fma(score, tl.full(score.shape, scale, tl.float32), -peak[:, None]))
            decay = tl.exp2(largest - peak)
            total *= decay
            out *= decay[:, None]
            largest = peak
        total += tl.sum(weight, 1)
        out = tl.dot(weight.to(value.dtype), value, out)
    out /= total[:, None]
    tl.store(out_ptr + first + row * WIDTH + channel, out.to(out_ptr.dtype.element_ty))
