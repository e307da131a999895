# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The check of a finished mesh: a quick look into the GLB file before the job counts as done."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING

from ...backend.shared.errors import NoSurface

if TYPE_CHECKING:
    from pathlib import Path


def check_mesh(path: Path) -> None:
    """Check that a GLB file is complete and has triangles, texture coordinates and a texture.

    Raises:
        NoSurface: if it has not.
    """
    data = path.read_bytes()
    try:
        magic, _, length = struct.unpack_from("<4sII", data)
        size = struct.unpack_from("<I", data, 12)[0]
        document = json.loads(data[20 : 20 + size])
        primitive = document["meshes"][0]["primitives"][0]
        positions = document["accessors"][primitive["attributes"]["POSITION"]]
        whole = magic == b"glTF" and length == len(data)
        good = whole and positions["count"] >= 3 and "TEXCOORD_0" in primitive["attributes"]
        good = good and bool(document["images"])
    except (struct.error, ValueError, KeyError, IndexError, TypeError):
        good = False
    if not good:
        raise NoSurface(f"{path} is no textured mesh.", "Convert it again.")
