# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Means over the blocks of a stream."""

from __future__ import annotations

import torch

from kernels.block_mean import block_mean
from kernels.core.blocks import Blocks


def test_means_by_hand():
    """Each block is averaged by itself, also a block of one token."""
    blocks = Blocks(torch.tensor([0, 1, 4]), torch.tensor([0, 2]))
    values = torch.tensor([[5.0, 1.0], [1.0, 2.0], [2.0, 3.0], [6.0, 7.0]])
    assert torch.equal(block_mean(values, blocks), torch.tensor([[5.0, 1.0], [3.0, 4.0]]))


def test_long_means_keep_half_precision():
    """512 numbers of bfloat16 average to the rounded mean: the sum itself is wider."""
    blocks = Blocks(torch.tensor([0, 512]), torch.tensor([0, 1]))
    values = (1 + torch.arange(512).view(-1, 1) % 2 / 128).bfloat16()
    wanted = values.double().mean(0, keepdim=True)
    error = (block_mean(values, blocks).double() - wanted).abs().max()
    assert error <= torch.finfo(torch.bfloat16).eps / 2 * wanted.max()
