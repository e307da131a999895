# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokens of the sparse stage: which are kept, and which blocks each of them sees."""
