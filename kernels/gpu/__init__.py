# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a GPU alone runs: the Triton kernels, and attention by flash-attn where it is installed.

Only `kernels` imports the Triton kernels, and only where Triton runs.
"""
