# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A walk through LSRM in a real Blender with a window: clicks, screenshots, and stalls."""
