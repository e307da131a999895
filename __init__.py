# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The repository root as a Blender extension: Blender calls these two."""

from .lsrm_blender import register, unregister

__all__ = ["register", "unregister"]
