# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the cameras of a capture stand, and the Blender cameras that are made of them."""
