# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Levels of detail: coarser meshes whose textures keep what the finest mesh shows."""
