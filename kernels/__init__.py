# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operations that take most of the time: one file each, in PyTorch and in Triton.

Sparse stage: `compressed_attention`, `selected_attention` and `window_attention`, which all run on
`tile_attention`; `compression` and `block_mean`; `gating`; `layer_norm`. Dense stage: `attention`.
Routing: `nearest`. Field: `sparse_field`, `blending`, `compositing`.

Each file holds the public function and its reference implementation in PyTorch. Per call,
`core.dispatch` decides between that and the Triton kernel of the same name in `gpu`.
`reference.definitions` writes the operations as the paper does; the tests of both compare with it.
"""
