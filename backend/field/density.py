# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""VolSDF: from signed distance to density, and how much light one step of a ray absorbs."""

from __future__ import annotations

import torch
from torch import Tensor

_DIAGONAL = 1.732  # of the unit cube, with the digits of the released weights


def density(signed_distance: Tensor, inverse_std: Tensor | float) -> Tensor:
    """The Laplace distribution function of the distance, scaled: VolSDF's density.

    Args:
        signed_distance: any shape, negative inside, world units.
        inverse_std: sharpness s, 1 / world units; the density deep inside is s.
    """
    tail = torch.expm1(-signed_distance.abs() * inverse_std)
    return inverse_std * (0.5 + 0.5 * signed_distance.sign() * tail)


def step_alpha(
    signed_distance: Tensor, inverse_std: Tensor | float, step: Tensor | float
) -> Tensor:
    """Opacity of a step of that length (world units) at that distance: 1 - exp(-step * density)."""
    return 1 - torch.exp(-step * density(signed_distance, inverse_std))


def render_step(half_side: float, samples: int) -> float:
    """The length of one step when the diagonal of the cube is cut into `samples` of them."""
    return _DIAGONAL * 2 * half_side / samples


def section_thickness(signed_distance: Tensor, follows: Tensor, inverse_std: float) -> Tensor:
    """Optical thickness between samples such that half the light is left at the zero level set.

    The light left at a distance f is taken to be the logistic function of s f, so a section from
    f to g absorbs the share (L(s f) - L(s g)) / L(s f) and nothing where the distance grows
    (NeuS, Wang et al. 2021, eq. (13)).

    Args:
        signed_distance: [samples], near to far along each ray.
        follows: [samples] bool, whether the next sample continues this one.
        inverse_std: s, 1 / world units.
    """
    light = torch.sigmoid(signed_distance * inverse_std)
    behind = torch.cat([light[1:], light[-1:]])
    share = ((light - behind) / (light + 1e-6)).clamp(0.0, 1 - 1e-5)
    return -torch.log1p(-torch.where(follows, share, torch.zeros_like(share)))
