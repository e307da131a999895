# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The only part of the backend that Blender imports; needs the standard library and numpy only."""
