# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Blender may import of the backend: standard library and numpy, no other room."""
