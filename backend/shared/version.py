# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The version of LSRM."""

from __future__ import annotations

import tomllib

from .virtual_environments import ROOT


def version() -> str:
    """As its manifest says."""
    manifest = tomllib.loads((ROOT / "blender_manifest.toml").read_text("utf-8"))
    return str(manifest["version"])
