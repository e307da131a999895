# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all states need inside of Blender: mouse, keyboard and eyes, waiting, the time of stalls."""
