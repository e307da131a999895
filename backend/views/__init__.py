# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Views in memory: loading, checking, resizing, and the visual hull of their masks."""
