# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the model computes most of: public functions and their PyTorch references.

A layer of the sparse stage: `routing_plan` (made once per object), `compressed_attention`,
`selected_attention`, `window_attention`, `compression`, `normalization`, `gating`. The dense stage:
`attention`. Routing: `nearest`. The field: `sparse_field`, `blending`, `compositing`. Each function
asks `dispatch` whether its Triton kernel, in `kernels/gpu`, shall answer; references
sum in the type that `precision` says.
"""
