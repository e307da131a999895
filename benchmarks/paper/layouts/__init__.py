# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Readers of data sets, one for each layout of their folders: every object becomes a `Scene`."""
