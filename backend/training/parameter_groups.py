# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The optimizer, which weights decay, and what is done to gradients before a step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.distributed.tensor import DTensor

from ..model.weights.weight_norm import WEIGHT_NORM

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor, nn

BETAS = (0.9, 0.95)
WEIGHT_DECAY = 0.05
LARGEST_NORM = 1.0
"""Of the gradient of each part of a stage, such as its encoder."""

POSITIONS = "positions."


def decays(name: str, shape: torch.Size) -> bool:
    """Whether a parameter decays: matrices do, and all of the upsampler.

    DEFECT 20 (docs/deviations.md): parts of a normed weight and tables of positions do not; in the
    release the number of ranks decides.

    Args:
        name: of the parameter, in its stage.
        shape: before it is sharded.
    """
    if "upsampler" in name:
        return True
    return len(shape) > 1 and not name.endswith(WEIGHT_NORM) and POSITIONS not in name


def make_optimizer(parameters: Iterable[tuple[str, nn.Parameter]]) -> torch.optim.AdamW:
    """AdamW with a group of parameters that decay and one of those that do not.

    Args:
        parameters: with their names; those without a gradient are left out.
    """
    groups: dict[bool, list[nn.Parameter]] = {True: [], False: []}
    for name, parameter in parameters:
        if parameter.requires_grad:
            groups[decays(name, parameter.shape)].append(parameter)
    listed = [
        {"params": members, "weight_decay": WEIGHT_DECAY if decayed else 0.0}
        for decayed, members in groups.items()
        if members
    ]
    return torch.optim.AdamW(listed, lr=0.0, betas=BETAS)


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Overwrite the learning rate of all groups."""
    for group in optimizer.param_groups:
        group["lr"] = rate


@torch.no_grad()
def clear_unusable(parameters: Iterable[nn.Parameter]) -> Tensor:
    """Set numbers of gradients that are not finite to 0, and count them on this rank.

    Parameters that nothing was computed with get a gradient, too: the optimizer then has moments
    of all of them, on every rank and in every checkpoint.
    """
    counts = []
    for parameter in parameters:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
        gradient = local_part(parameter.grad)
        counts.append((~torch.isfinite(gradient)).sum())
        gradient.nan_to_num_(nan=0.0, posinf=0.0, neginf=0.0)
    return torch.stack(counts).sum()


def clip_gradients(parts: Iterable[nn.Module]) -> dict[str, float]:
    """Limit the norm of the gradient of each part; returns the norms before, by class of part."""
    norms = {}
    for part in parts:
        norm = torch.nn.utils.clip_grad_norm_(part.parameters(), LARGEST_NORM)
        whole = norm.full_tensor() if isinstance(norm, DTensor) else norm
        norms[type(part).__name__] = float(whole)
    return norms


def local_part(tensor: Tensor) -> Tensor:
    """What this rank has of a tensor that may be sharded."""
    if isinstance(tensor, DTensor):
        local: Tensor = tensor.to_local()
        return local
    return tensor
