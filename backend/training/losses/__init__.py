# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rendered views, their losses, and the gradient of both; parts that only training has."""
