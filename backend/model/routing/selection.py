# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Informative token selection, eq. (13): the patches on the object, the voxels at its surface.

All index rows returned here are in block order, ready for the sparse stage.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from .tokens import block_order

ALPHA_MARGIN = 2e-3  # opacity of one step from which a token counts as near the surface


def foreground_patches(mask: Tensor, patch_size: int) -> Tensor:
    """The patches that the object touches: a single faint pixel is enough.

    Args:
        mask: [instances, views, 1, size, size] coverage.
        patch_size: pixels per side of a patch.

    Returns:
        [instances, views, patches, patches] bool.
    """
    side = mask.shape[-1] // patch_size
    patches = mask.reshape(*mask.shape[:2], side, patch_size, side, patch_size)
    return patches.sum((3, 5)) != 0


def views_within(kept: Tensor, max_tokens: int | None) -> int:
    """How many views stay when whole ones are dropped from the end until the tokens fit.

    Args:
        kept: [instances, views, patches, patches] bool.
        max_tokens: of all instances together; None drops nothing. At least one view stays.
    """
    views = kept.shape[1]
    while max_tokens is not None and views > 1 and int(kept[:, :views].sum()) > max_tokens:
        views -= 1
    return views


def surface_tokens(signed_distance: Tensor, alpha: Tensor, resolution: int) -> Tensor:
    """The volume tokens near the surface of the coarse field.

    Eq. (13) of the paper bounds the absolute distance. The release keeps a token if the sign
    changes inside of it, or if one step inside of it is neither transparent nor opaque.

    Args:
        signed_distance: [instances, n, n, n] samples, axes (z, y, x), n a multiple of resolution.
        alpha: opacity of one ray step at the same points.
        resolution: volume tokens per side.

    Returns:
        [instances, resolution, resolution, resolution] bool.
    """
    size = signed_distance.shape[-1] // resolution
    highest, most = (F.max_pool3d(grid[:, None], size)[:, 0] for grid in (signed_distance, alpha))
    lowest, least = (-F.max_pool3d(-grid[:, None], size)[:, 0] for grid in (signed_distance, alpha))
    crossing = (highest > 0) & (lowest < 0)
    outside = (lowest > 0) & (most > ALPHA_MARGIN)
    inside = (highest < 0) & (least < 1 - ALPHA_MARGIN)
    return crossing | outside | inside


def grow_tokens(kept: Tensor, alpha: Tensor, dilation: int) -> Tensor:
    """Add a margin around the kept volume tokens; an instance without any gets its densest one.

    Args:
        kept: [instances, n, n, n] bool.
        alpha: [instances, N, N, N] opacity samples, N a multiple of n.
        dilation: tokens in every direction, corners included.
    """
    reach = 2 * dilation + 1
    grown = F.max_pool3d(kept[:, None].float(), reach, stride=1, padding=dilation)[:, 0] > 0
    size = alpha.shape[-1] // kept.shape[-1]
    densest = F.max_pool3d(alpha[:, None], size).flatten(1).argmax(1)
    for instance in torch.nonzero(~kept.flatten(1).any(1)).flatten().tolist():
        grown[instance].view(-1)[densest[instance]] = True
    return grown


def image_tokens(kept: Tensor, block_size: int) -> Tensor:
    """Index rows (instance, view, row, column) of the kept patches, [tokens, 4] in block order."""
    index = torch.nonzero(kept)
    return index[block_order(index, block_size, volume=False)]


def volume_tokens(kept: Tensor, block_size: int) -> Tensor:
    """Index rows (instance, z, y, x) of the kept volume tokens, [tokens, 4] in block order."""
    index = torch.nonzero(kept)
    return index[block_order(index, block_size, volume=True)]


def upsample_image_feature(feature: Tensor, index: Tensor, views: int, side: int) -> Tensor:
    """One image map of the dense stage at the kept patches, nearest, unit length per token.

    Args:
        feature: [instances, views * coarse^2, channels].
        index: [tokens, 4] image tokens of the sparse stage.
        views: views per instance in `feature`.
        side: patches per side of a view in the sparse stage.
    """
    coarse = round((feature.shape[1] // views) ** 0.5)
    instance, view, row, column = index.unbind(1)
    grid = feature.view(feature.shape[0], views, coarse, coarse, -1)
    return F.normalize(grid[instance, view, row * coarse // side, column * coarse // side], dim=-1)


def upsample_volume_feature(feature: Tensor, index: Tensor, side: int) -> Tensor:
    """The volume feature of the dense stage at the kept tokens, nearest, unit length per token.

    Args:
        feature: [instances, coarse^3, channels].
        index: [tokens, 4] volume tokens of the sparse stage.
        side: volume tokens per side in the sparse stage.
    """
    coarse = round(feature.shape[1] ** (1 / 3))
    instance, z, y, x = index.unbind(1)
    grid = feature.view(feature.shape[0], coarse, coarse, coarse, -1)
    z, y, x = z * coarse // side, y * coarse // side, x * coarse // side
    return F.normalize(grid[instance, z, y, x], dim=-1)
