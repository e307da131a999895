# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for the library flash-attn, which holds callers to what that documents."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from types import ModuleType
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class FlashStandIn:
    """What is called instead of the library.

    Attributes:
        calls: the lengths of each call: queries and keys of every instance.
    """

    calls: list[list[tuple[int, int]]] = field(default_factory=list)

    @property
    def module(self) -> ModuleType:
        """The module that is imported."""
        module = ModuleType("flash_attn")
        module.__version__ = "0.0.stand-in"
        module.flash_attn_varlen_func = self.attend
        return module

    def attend(  # noqa: PLR0913, PLR0917 - the library's arguments
        self,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        cu_seqlens_q: Tensor,
        cu_seqlens_k: Tensor,
        max_seqlen_q: int,
        max_seqlen_k: int,
        *,
        softmax_scale: float | None = None,
        causal: bool = False,
        deterministic: bool = False,
    ) -> Tensor:
        """Attention of packed sequences, [queries, query heads, D], in the type of the queries."""
        _check_streams(q, k, v)
        lengths = zip(
            _lengths(cu_seqlens_q, len(q), max_seqlen_q),
            _lengths(cu_seqlens_k, len(k), max_seqlen_k),
            strict=True,
        )
        self.calls.append(list(lengths))
        assert (causal, deterministic) == (False, True)
        group, scale = q.shape[1] // k.shape[1], softmax_scale or 1 / math.sqrt(q.shape[2])
        ends = [list(pairwise(each.tolist())) for each in (cu_seqlens_q, cu_seqlens_k)]
        found = []
        for (q0, q1), (k0, k1) in zip(*ends, strict=True):
            key, value = (each[k0:k1].float().repeat_interleave(group, 1) for each in (k, v))
            scores = torch.einsum("qhd,khd->hqk", q[q0:q1].float(), key) * scale
            found.append(torch.einsum("hqk,khd->qhd", scores.softmax(-1), value))
        return torch.cat(found).to(q.dtype)


def _check_streams(q: Tensor, k: Tensor, v: Tensor) -> None:
    for each in (q, k, v):
        assert each.dtype in (torch.float16, torch.bfloat16)
        assert each.dtype == q.dtype
        assert each.is_cuda
        assert each.dim() == 3
        assert each.is_contiguous()
    assert q.shape[1] % k.shape[1] == 0
    assert k.shape == v.shape
    assert q.shape[2] == k.shape[2] <= 256
    assert q.shape[2] % 8 == 0


def _lengths(offsets: Tensor, rows: int, longest: int) -> list[int]:
    assert offsets.dtype == torch.int32
    assert offsets.is_cuda
    assert offsets.is_contiguous()
    numbers = offsets.tolist()
    lengths = [stop - start for start, stop in pairwise(numbers)]
    assert (numbers[0], numbers[-1]) == (0, rows)
    assert min(lengths) > 0
    assert type(longest) is int
    assert longest == max(lengths)
    return lengths
