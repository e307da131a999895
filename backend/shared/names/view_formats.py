# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The formats that views are exported in, for the command and for the panel."""

from __future__ import annotations

COLMAP = "colmap"
"""A model of COLMAP as text, beside the images."""

TRANSFORMS = "transforms"
"""A transforms.json."""

VIEW_FORMATS = (COLMAP, TRANSFORMS)
