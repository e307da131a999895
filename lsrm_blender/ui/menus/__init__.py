# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""LSRM outside its panel: in Blender's menus, its search and its status bar, and dropped files."""
