# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Adam (Kingma and Ba 2015) by PyTorch's function, without PyTorch's optimizer.

The first optimizer of a process imports PyTorch's compiler, which takes a second in which no cancel
is noticed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.optim.adam import adam

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

EPS = 1e-8


class Adam:
    """Moves parameters against their gradients, to the bit as `torch.optim.Adam` does.

    A parameter without a gradient moves as with a gradient of zero; PyTorch's stays where it is.

    Args:
        parameters: that require gradients; they are moved in place.
        betas: how much of the means of gradients and of their squares is kept in a step.
        fused: whether one operation does all of a step.
    """

    def __init__(
        self, parameters: Sequence[Tensor], betas: tuple[float, float], *, fused: bool
    ) -> None:
        self._parameters, self._betas, self._fused = list(parameters), betas, fused
        self._means = [torch.zeros_like(each) for each in parameters]
        self._squares = [torch.zeros_like(each) for each in parameters]
        # PyTorch counts on the device only where the fused operation reads the count there.
        self._steps = [
            torch.zeros((), device=each.device if fused else None) for each in parameters
        ]

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Move the parameters by their gradients, and forget these.

        Args:
            rate: roughly how far a parameter moves.
        """
        adam(
            self._parameters,
            [self._gradient_of(each) for each in self._parameters],
            self._means,
            self._squares,
            [],
            self._steps,
            fused=self._fused,
            amsgrad=False,
            beta1=self._betas[0],
            beta2=self._betas[1],
            lr=rate,
            weight_decay=0.0,
            eps=EPS,
            maximize=False,
        )
        for each in self._parameters:
            each.grad = None

    @staticmethod
    def _gradient_of(parameter: Tensor) -> Tensor:
        """The gradient; where nothing depends on the parameter, zero."""
        return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
