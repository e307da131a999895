# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Weighted sums of gathered rows, differentiable in the rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from kernels.blending import blend_rows


def gather_rows(rows: Tensor, index: Tensor, weights: Tensor) -> Tensor:
    """Blend rows: result[n] = sum_k weights[n, k] * rows[index[n, k]].

    Weights carry no gradient. On the CPU both directions are one sparse matrix product, several
    times faster than indexing with autograd; on other devices a kernel.

    Args:
        rows: [rows, channels] float32.
        index: [n, k] integer, less than the number of rows; negative for a missing row of zeros.
        weights: [n, k] float32.

    Returns:
        [n, channels].
    """
    if rows.device.type != "cpu":
        return blend_rows(rows, index, weights)
    # The sparse product does not check its indices: a negative one would read outside of the rows,
    # and so would the zero that replaces it if there were no row 0.
    known = index >= 0
    if len(rows) == 0:
        rows = F.pad(rows, (0, 0, 0, 1))
    matrix = _matrix(index.clamp(min=0), weights * known, len(rows))
    result: Tensor = _Product.apply(rows, matrix)  # type: ignore[no-untyped-call]
    return result


class RowBlend:
    """A blend of rows that is made once and applied many times.

    Args:
        index: of the rows, [n, k] integer, all from 0 to `rows` - 1.
        weights: [n, k].
        rows: how many there are.
    """

    def __init__(self, index: Tensor, weights: Tensor, rows: int) -> None:
        self._index, self._weights = index, weights
        self._matrix = _matrix(index, weights, rows) if index.device.type == "cpu" else None

    def __call__(self, rows: Tensor) -> Tensor:
        """Blend rows [rows, channels] to [n, channels], differentiable."""
        if self._matrix is None:
            return blend_rows(rows, self._index, self._weights)
        result: Tensor = _Product.apply(rows, self._matrix)  # type: ignore[no-untyped-call]
        return result


class _Product(torch.autograd.Function):
    """A sparse matrix times rows, and its gradient."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, matrix: csr_matrix) -> Tensor:
        ctx.matrix = matrix
        return torch.from_numpy(matrix @ rows.detach().numpy())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (gradient,) = gradients
        return torch.from_numpy(ctx.matrix.T @ np.ascontiguousarray(gradient.numpy())), None


def _matrix(index: Tensor, weights: Tensor, rows: int) -> csr_matrix:
    """The blend as a sparse matrix [n, rows]."""
    count, width = index.shape
    starts = np.arange(0, count * width + 1, width)
    values = (weights.detach().numpy().ravel(), index.numpy().ravel(), starts)
    return csr_matrix(values, shape=(count, rows))
