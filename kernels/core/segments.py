# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Segments of different length, one after the other in one tensor: sizes, offsets and owners.

Three ways to write the same partition: the size of each segment, [segments]; the offsets, how many
elements precede each segment, [segments + 1]; the owner of each element, its segment, [elements].
"""

from __future__ import annotations

import torch
from torch import Tensor


def offsets_of_sizes(sizes: Tensor) -> Tensor:
    """Sizes [segments] to offsets [segments + 1] int64."""
    return torch.cat([sizes.new_zeros(1, dtype=torch.int64), sizes.cumsum(0)])


def starts_of_sizes(sizes: Tensor) -> Tensor:
    """Sizes [segments] to the first element of each segment, [segments] int64."""
    return sizes.cumsum(0) - sizes


def offsets_of_owners(owner: Tensor, segments: int) -> Tensor:
    """Owners [elements], in any order, to the offsets [segments + 1] int64 of the sorted ones."""
    return offsets_of_sizes(torch.bincount(owner, minlength=segments))


def owners_of_sizes(sizes: Tensor) -> Tensor:
    """Sizes [segments] int64 to owners [elements] int64, ascending."""
    return torch.repeat_interleave(torch.arange(len(sizes), device=sizes.device), sizes)


def owners_of_offsets(offsets: Tensor) -> Tensor:
    """Offsets [segments + 1] to owners [elements] int64, ascending."""
    return owners_of_sizes(offsets.diff().long())


def positions(owner: Tensor, starts: Tensor) -> Tensor:
    """The index of each element inside its segment, [elements] int64.

    Args:
        owner: [elements] int64, ascending.
        starts: [segments] int64, or offsets [segments + 1].
    """
    return torch.arange(len(owner), device=owner.device) - starts.index_select(0, owner)


def enumerate_segments(sizes: Tensor) -> tuple[Tensor, Tensor]:
    """Owner of each element and its index inside its segment, both [elements] int64.

    Args:
        sizes: [segments] int64; a negative size counts as zero.
    """
    sizes = sizes.clamp_min(0)
    owner = owners_of_sizes(sizes)
    return owner, positions(owner, starts_of_sizes(sizes))


def ranges(starts: Tensor, sizes: Tensor) -> Tensor:
    """The integers start .. start + size - 1 of every segment, one segment after the other.

    Args:
        starts: [segments] int64.
        sizes: [segments] int64.
    """
    shift = torch.repeat_interleave(starts - starts_of_sizes(sizes), sizes)
    return shift + torch.arange(len(shift), device=starts.device)


def split_segments(sizes: Tensor, most: int) -> tuple[Tensor, Tensor, Tensor]:
    """Split segments into parts of at most `most` elements.

    Args:
        sizes: [segments] int64.
        most: elements of a part.

    Returns:
        For each part the segment it belongs to, where it begins inside that segment, and its size,
        [parts] int64 each.
    """
    owner, number = enumerate_segments(-(-sizes // most))
    begin = number * most
    return owner, begin, (sizes[owner] - begin).clamp_max(most)


def chunks(start: int, stop: int, rows_per_chunk: int) -> list[tuple[int, int]]:
    """Split the rows start .. stop - 1 into chunks, (first row, row after the last) each."""
    step = max(1, rows_per_chunk)
    return [(first, min(first + step, stop)) for first in range(start, stop, step)]
