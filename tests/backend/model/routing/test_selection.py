# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Informative tokens and their blocks, where the golden cases do not look."""

from __future__ import annotations

import pytest
import torch

from backend.model.routing.selection import (
    foreground_patches,
    grow_tokens,
    image_tokens,
    surface_tokens,
    upsample_image_feature,
    upsample_volume_feature,
    views_within,
    volume_tokens,
)
from backend.model.routing.tokens import blocks_of


def test_a_single_faint_pixel_keeps_its_patch() -> None:
    """Coverage of 1/255 in one pixel is enough, and touches no other patch."""
    mask = torch.zeros(1, 2, 1, 12, 12)
    mask[0, 1, 0, 7, 3] = 1 / 255
    kept = foreground_patches(mask, 4)
    assert torch.nonzero(kept).tolist() == [[0, 1, 1, 0]]


def test_a_cap_drops_whole_views_from_the_end() -> None:
    """Views go from the end until the tokens of all instances fit; the first one stays."""
    kept = torch.ones(2, 3, 2, 2, dtype=torch.bool)  # 8 tokens per view of the batch
    assert views_within(kept, None) == 3
    assert views_within(kept, 24) == 3
    assert views_within(kept, 23) == 2
    assert views_within(kept, 1) == 1


@pytest.mark.parametrize(
    ("distance", "alpha", "kept"),
    [
        ([1.0, -1.0], [0.0, 0.0], True),  # the sign changes inside of the token
        ([1.0, 1.0], [0.0, 2.1e-3], True),  # outside, but not clear
        ([1.0, 1.0], [0.0, 1.9e-3], False),
        ([-1.0, -1.0], [1.0, 1 - 2.1e-3], True),  # inside, but not opaque
        ([-1.0, -1.0], [1.0, 1 - 1.9e-3], False),
        ([0.0, 1.0], [1.0, 1.0], False),  # no sample is strictly inside, none strictly outside
    ],
)
def test_which_tokens_are_near_the_surface(
    distance: list[float], alpha: list[float], *, kept: bool
) -> None:
    """The three conditions, each just met and just missed."""
    grids = []
    for first, second in (distance, alpha):
        grid = torch.full((1, 2, 2, 2), first)
        grid[0, 1, 0, 1] = second
        grids.append(grid)
    assert surface_tokens(*grids, 1).item() is kept


def test_an_instance_without_surface_keeps_its_densest_token() -> None:
    """Only the empty instance falls back: to one token, undilated, the first of ties."""
    kept = torch.zeros(2, 4, 4, 4, dtype=torch.bool)
    kept[0, 1, 1, 1] = True
    alpha = torch.zeros(2, 8, 8, 8)
    alpha[1, 6, 2, 4] = alpha[1, 6, 6, 6] = 1e-4
    grown = grow_tokens(kept, alpha, 1)
    assert int(grown[0].sum()) == 27
    assert torch.nonzero(grown[1]).tolist() == [[3, 1, 2]]


@pytest.mark.parametrize("volume", [False, True])
@pytest.mark.parametrize("block_size", [2, 3])
def test_blocks_are_contiguous_and_complete(block_size: int, *, volume: bool) -> None:
    """Every block is one run of tokens, whatever its size; offsets say where it begins."""
    torch.manual_seed(block_size)
    kept = torch.rand(3, 6, 6, 6) < 0.2
    kept[1, :, :3] = False
    index = (volume_tokens if volume else image_tokens)(kept, block_size)
    assert len(index) == int(kept.sum())
    assert kept[tuple(index.T)].all()
    blocks = blocks_of(index, block_size, 3, volume=volume)
    first = 1 if volume else 2
    names = [
        (*row[:first], *(value // block_size for value in row[first:])) for row in index.tolist()
    ]
    runs = [names[begin] for begin in blocks.token_offsets[:-1].tolist()]
    assert len(set(names)) == len(runs) == blocks.count
    assert runs == sorted(runs)
    assert [names[i] for i in range(len(names))] == [runs[b] for b in blocks.owners().tolist()]
    per_instance = [sum(run[0] == b for run in runs) for b in range(3)]
    assert blocks.instance_offsets.diff().tolist() == per_instance


def test_an_instance_without_tokens_has_no_blocks() -> None:
    """An empty instance, first or last, keeps its entry in the offsets (DEFECT 11)."""
    kept = torch.zeros(3, 4, 4, 4, dtype=torch.bool)
    kept[1, 0, 0, 0] = True
    blocks = blocks_of(volume_tokens(kept, 2), 2, 3, volume=True)
    assert blocks.instance_offsets.tolist() == [0, 0, 1, 1]


def test_dense_features_come_from_the_nearest_token() -> None:
    """From 2 to 5 per side the index is floor(i * 2 / 5); unit length, zeros stay zeros."""
    feature = torch.arange(1.0, 9.0).view(1, 8, 1) * torch.tensor([1.0, 0.0, 0.0])
    feature[0, :, 1] = 1.0
    feature[0, 7] = 0
    index = torch.tensor([[0, 1, 2, 3], [0, 1, 4, 4], [0, 0, 0, 0]])
    image = upsample_image_feature(feature, index, 2, 5)  # 2 views of 2x2 tokens
    volume = upsample_volume_feature(feature, index, 5)  # 2x2x2 tokens
    for found, rows in ((image, [5, 7, 0]), (volume, [1, 3, 0])):
        expected = feature[0, rows]
        norm = expected.norm(dim=1, keepdim=True).clamp(min=1e-12)
        torch.testing.assert_close(found, expected / norm)
