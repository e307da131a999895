# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Refinement: the field fitted to the very views it was made from."""
