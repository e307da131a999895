# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Weights on disk and in memory: checkpoints, foreign tensor files, what they need."""
