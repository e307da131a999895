# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of `python3 -m lsrm_blender` and `blender --command lsrm`."""
