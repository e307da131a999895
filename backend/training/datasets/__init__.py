# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Data sets: what a sample is, readers of stored ones, and what is done about damaged ones."""
