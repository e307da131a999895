# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Weighted sums of gathered rows, differentiable in the rows."""

from __future__ import annotations

import warnings
from typing import Any, Protocol

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from kernels.blending import blend
from kernels.core.blend_plan import BlendPlan


def gather_rows(rows: Tensor, index: Tensor, weights: Tensor) -> Tensor:
    """Blend rows: result[n] = sum_k weights[n, k] * rows[index[n, k]].

    Args:
        rows: [rows, channels] float32.
        index: [n, k] integer, less than the number of rows; negative for a missing row of zeros.
        weights: [n, k] float32.

    Returns:
        [n, channels].
    """
    return RowBlend(index, weights, len(rows))(rows)


class RowBlend:
    """A blend of rows that is made once and applied to several rows; see `gather_rows`.

    Weights carry no gradient. On the CPU both directions are one sparse matrix product, several
    times faster than indexing with autograd; on other devices a kernel.

    Args:
        index: of the rows, [n, k] integer; negative for a missing row of zeros.
        weights: [n, k].
        rows: how many there are.
        many_gradients: whether so many are taken that transposing the matrix pays.
    """

    def __init__(
        self, index: Tensor, weights: Tensor, rows: int, *, many_gradients: bool = False
    ) -> None:
        self._plan = BlendPlan(index, weights)
        self._products: tuple[_Product, _Product] | None = None
        if index.device.type == "cpu":
            matrix = _matrix(index, weights, rows)
            transposed = matrix.T.tocsr() if many_gradients else matrix.T
            self._products = _product(matrix), _product(transposed)

    def __call__(self, rows: Tensor) -> Tensor:
        """Blend rows [rows, channels] to [n, channels], differentiable."""
        if self._products is None:
            return blend(rows, self._plan)
        if len(rows) == 0:  # what the matrix has for missing rows
            rows = F.pad(rows, (0, 0, 0, 1))
        result: Tensor = _Blend.apply(rows, *self._products)  # type: ignore[no-untyped-call]
        return result


class _Product(Protocol):
    """The product of a sparse matrix with rows."""

    def __call__(self, rows: np.ndarray, /) -> np.ndarray: ...


class _Blend(torch.autograd.Function):
    """A sparse matrix times rows, and its gradient: the transposed matrix times the gradient."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, product: _Product, transposed: _Product) -> Tensor:
        ctx.transposed = transposed
        return torch.from_numpy(product(rows.detach().numpy()))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = gradients
        product = ctx.transposed(np.ascontiguousarray(gradient.numpy()))
        return torch.from_numpy(product), None, None


def _matrix(index: Tensor, weights: Tensor, rows: int) -> csr_matrix:
    """The blend as a sparse matrix [n, rows], of at least one row.

    The sparse product does not check its indices: a negative one would read outside of the rows,
    and so would the zero that replaces it if there were no row 0.
    """
    count, width = index.shape
    starts = np.arange(0, count * width + 1, width)
    weights = weights.detach()
    if index.numel() and int(index.min()) < 0:
        weights, index = weights * (index >= 0), index.clamp(min=0)
    values = (weights.numpy().ravel(), index.numpy().ravel(), starts)
    return csr_matrix(values, shape=(count, max(1, rows)))


def _product(matrix: Any) -> _Product:
    """The product with a sparse matrix, on all cores where torch brings MKL for it.

    Both ways sum every element in the order of the matrix's row, so the bits are the same.
    """
    if matrix.format != "csr" or not torch.backends.mkl.is_available():
        return lambda rows: matrix @ rows
    starts, index, weights = (
        torch.from_numpy(part) for part in (matrix.indptr, matrix.indices, matrix.data)
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support")
        sparse = torch.sparse_csr_tensor(
            starts, index, weights, matrix.shape, check_invariants=False
        )

    def product(rows: np.ndarray) -> np.ndarray:
        if rows.dtype != matrix.dtype:
            result: np.ndarray = matrix @ rows
            return result
        right = torch.from_numpy(rows)
        # A product with a vector is faster than that with a matrix of one column.
        found = (sparse @ right[:, 0])[:, None] if right.shape[1] == 1 else sparse @ right
        return np.asarray(found)

    return product
