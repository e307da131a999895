# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Triton kernels. Only `kernels` imports them, and only where Triton runs."""
