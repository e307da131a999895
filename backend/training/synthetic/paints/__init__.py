# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Materials of made objects: patterns, print, wear, and how they are chosen."""
