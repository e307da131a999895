# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizes, offsets and owners describe the same segments."""

from __future__ import annotations

import torch

from kernels.core.segments import (
    chunks,
    enumerate_segments,
    offsets_of_owners,
    offsets_of_sizes,
    owners_of_offsets,
    positions,
    ranges,
    split_segments,
    starts_of_sizes,
)

SIZES = torch.tensor([2, 0, 3])


def test_sizes_offsets_and_owners_convert_into_each_other():
    """An empty segment has an offset and no owner."""
    offsets = offsets_of_sizes(SIZES)
    owner = owners_of_offsets(offsets.int())
    assert offsets.tolist() == [0, 2, 2, 5]
    assert starts_of_sizes(SIZES).tolist() == [0, 2, 2]
    assert owner.tolist() == [0, 0, 2, 2, 2]
    assert offsets_of_owners(owner.flip(0), 3).tolist() == offsets.tolist()
    assert positions(owner, offsets).tolist() == [0, 1, 0, 1, 2]


def test_enumerate_segments_ignores_empty_and_negative_sizes():
    """Every element has its segment and its index in it."""
    owner, position = enumerate_segments(torch.tensor([2, 0, 3, -1]))
    assert owner.tolist() == [0, 0, 2, 2, 2]
    assert position.tolist() == [0, 1, 0, 1, 2]
    assert [len(part) for part in enumerate_segments(torch.zeros(0).long())] == [0, 0]


def test_ranges_are_concatenated():
    """An empty range adds nothing."""
    assert ranges(torch.tensor([7, 3, 0]), SIZES).tolist() == [7, 8, 0, 1, 2]


def test_split_segments_stays_inside_segments():
    """No part is longer than allowed, and none crosses a boundary."""
    owner, begin, size = split_segments(torch.tensor([5, 0, 2]), 2)
    assert owner.tolist() == [0, 0, 0, 2]
    assert begin.tolist() == [0, 2, 4, 0]
    assert size.tolist() == [2, 2, 1, 2]


def test_chunks_cover_all_rows_once():
    """The last chunk is the remainder; a chunk has at least one row."""
    assert chunks(3, 8, 2) == [(3, 5), (5, 7), (7, 8)]
    assert chunks(0, 2, 0) == [(0, 1), (1, 2)]
    assert chunks(4, 4, 2) == []
