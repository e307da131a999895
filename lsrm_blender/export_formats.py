# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The formats that results are exported in; commands name them without Blender, too."""

GLB, USD, OBJ = "GLB", "USD", "OBJ"
SUFFIXES = {GLB: (".glb",), USD: (".usdc", ".usd", ".usda", ".usdz"), OBJ: (".obj",)}
"""File names of each format; the first is the usual one."""
