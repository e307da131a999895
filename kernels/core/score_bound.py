# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bound on the scores of layer-normed queries and keys, under which no maximum is needed.

A softmax subtracts the largest score, so that exp does not overflow. The norm of a layer-normed row
is at most sqrt(D), so a score q k / sqrt(D) is at most sqrt(D): 5.7 at a width of 32.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from .precision import wide_type

if TYPE_CHECKING:
    from torch import Tensor

WIDEST_BOUNDED = 64  # exp(sqrt(D)) and its inverse have full precision in float16
_ROUNDING = 1 + 2.0**-6  # of a squared norm, for elements in bfloat16


def check_bounded(query: Tensor, key: Tensor) -> None:
    """Refuse `bounded_scores` where queries or keys are not layer-normed.

    On a GPU, where looking at them would wait for it, only their width is checked; there a score
    that overflows becomes NaN.

    Args:
        query: [queries, query heads, D].
        key: [tokens, key/value heads, D].

    Raises:
        ValueError: if a row is longer than sqrt(D), or heads are wider than 64.
    """
    width = query.shape[2]
    if width > WIDEST_BOUNDED:
        raise ValueError(f"bounded scores of heads {width} wide: at most {WIDEST_BOUNDED}")
    for name, stream in (("queries", query), ("keys", key)):
        if stream.is_cpu and stream.numel():
            rows = stream.detach()
            norm = float(torch.linalg.vector_norm(rows, dim=-1, dtype=wide_type(rows.dtype)).max())
            if norm**2 > width * _ROUNDING:
                raise ValueError(
                    f"scores are not bounded: {name} have norms up to {norm:.3g}, layer-normed "
                    f"ones at most {width**0.5:.3g}"
                )
