# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""3D files: opening them, choosing what to capture, and what they miss."""
