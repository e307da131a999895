# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of every block: layer norm in float32, linear maps with weight norm, the MLP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations

from kernels.core.precision import widened

if TYPE_CHECKING:
    from torch import Tensor


class LayerNorm(nn.LayerNorm):
    """Affine layer norm, computed in float32 whatever the stream's dtype."""

    def forward(self, stream: Tensor) -> Tensor:
        """Normalize the last axis."""
        wide, weight, bias = widened(stream), widened(self.weight), widened(self.bias)
        normed = F.layer_norm(wide, self.normalized_shape, weight, bias, self.eps)
        return normed.to(stream.dtype)


def linear(inputs: int, outputs: int, *, bias: bool, weight_norm: bool) -> nn.Module:
    """A linear map; with weight norm, weight = g v / |v| per output row."""
    layer = nn.Linear(inputs, outputs, bias=bias)
    # DEFECT 3 (docs/deviations.md): an initialization behind the norm writes to a temporary. The
    # parametrization below starts from the weight that is already there.
    return parametrizations.weight_norm(layer) if weight_norm else layer


class Mlp(nn.Module):
    """Two linears around the exact GELU."""

    def __init__(self, width: int, hidden: int, *, weight_norm: bool) -> None:
        super().__init__()
        self.fc1 = linear(width, hidden, bias=True, weight_norm=weight_norm)
        self.fc2 = linear(hidden, width, bias=True, weight_norm=weight_norm)

    def forward(self, stream: Tensor) -> Tensor:
        """Tokens [tokens, width] to [tokens, width]."""
        hidden: Tensor = self.fc2(F.gelu(self.fc1(stream)))
        return hidden
