# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Weight norm, weight = g v / |v| per output row: from its two tensors to one, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

WEIGHT_NORM = ("parametrizations.weight.original0", "parametrizations.weight.original1")
"""torch's names for g and v, in place of `weight`."""


def fold_weight(gain: Tensor, direction: Tensor) -> Tensor:
    """The weight, by the very operation of the layer that was trained: no digit changes."""
    weight: Tensor = torch._weight_norm(direction.float(), gain.float(), 0)  # noqa: SLF001
    return weight


def folded(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Named tensors with every pair of g and v replaced by their weight."""
    gain, direction = WEIGHT_NORM
    found = {}
    for name, tensor in tensors.items():
        if name.endswith(gain):
            stem = name.removesuffix(gain)
            found[f"{stem}weight"] = fold_weight(tensor, tensors[stem + direction])
        elif not name.endswith(direction):
            found[name] = tensor
    return found


def unfolded(name: str, weights: Mapping[str, Tensor]) -> Tensor | None:
    """The tensor of a model, with weight norm or without, among folded ones; None if absent."""
    gain, direction = WEIGHT_NORM
    if name.endswith(direction):
        return weights.get(f"{name.removesuffix(direction)}weight")
    if name.endswith(gain):
        weight = weights.get(f"{name.removesuffix(gain)}weight")
        return None if weight is None else weight.flatten(1).norm(dim=1, keepdim=True)
    return weights.get(name)
