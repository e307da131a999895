# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What changes from step to step: the learning rate, and the sharpness of the density."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class LearningRate:
    """A linear rise, then half a cosine down.

    Attributes:
        peak: at the end of the rise.
        first: at step 0, if there is a rise.
        last: at the end.
        warm_up: steps of the rise.
    """

    peak: float = 4e-4
    first: float = 1e-10
    last: float = 1e-6
    warm_up: int = 3000

    def at(self, step: int, steps: int) -> float:
        """The rate of a step, of 0 .. steps - 1."""
        if step < self.warm_up:
            return self.first + (self.peak - self.first) * step / self.warm_up
        fraction = (step - self.warm_up) / max(1, steps - self.warm_up)
        return self.last + (self.peak - self.last) * 0.5 * (1 + math.cos(math.pi * fraction))


@dataclass(frozen=True)
class InverseStd:
    """Linear from a blurred surface to a sharper one during the warm-up, then to a sharp one.

    Attributes:
        first: at step 0, 1 / model units.
        warm: after the warm-up of the learning rate.
        last: at the end.
    """

    first: float = 10.0
    warm: float = 20.0
    last: float = 200.0

    def at(self, step: int, steps: int, warm_up: int) -> float:
        """The sharpness of a step, of 0 .. steps - 1."""
        if step < warm_up:
            return self.first + (self.warm - self.first) * step / warm_up
        fraction = (step - warm_up) / max(1, steps - warm_up)
        return self.warm + (self.last - self.warm) * fraction
