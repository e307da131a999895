# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shapes of made objects: solids, what is done to them, and how they are put together."""
