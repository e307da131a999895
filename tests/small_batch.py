# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small asset, and options with which `convert` takes seconds for it."""

from __future__ import annotations

QUICK = (
    "--views=4",
    "--size=48",
    "--samples=2",
    "--texture-size=64",
    "--faces=300",
    "--threads=1",
    "--refine=off",
)

CUBE = """
v -1 -1 -1
v 1 -1 -1
v 1 1 -1
v -1 1 -1
v -1 -1 1
v 1 -1 1
v 1 1 1
v -1 1 1
f 4 3 2 1
f 5 6 7 8
f 1 2 6 5
f 2 3 7 6
f 3 4 8 7
f 4 1 5 8
"""
