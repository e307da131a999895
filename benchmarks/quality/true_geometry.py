# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The upper bound of the quality benchmark: the true mesh with a baked texture, as a result folder.

python true_geometry.py VIEWS OUT --json      (in the backend environment)
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import trimesh

from backend.mesh.glb import plain_dielectric, write_glb
from backend.mesh.texture import bake_base_color
from backend.mesh.triangle_mesh import TriangleMesh
from backend.mesh.unwrap import unwrap
from backend.pipeline import normalize_scene
from backend.result.folder import REPORT, ResultFolder
from backend.shared.capture_format import read_capture
from backend.shared.progress import Progress
from backend.views.views import load_views

TEXTURE_SIZE = 2048


def main(views_folder: Path, output: Path) -> None:
    """Texture `VIEWS/test/reference_mesh.ply` from the input views."""
    progress = Progress()
    views = load_views(read_capture(views_folder), progress)
    normalization = normalize_scene(views)
    true = trimesh.load_mesh(views_folder / "test" / "reference_mesh.ply")
    mesh = TriangleMesh(normalization.apply(true.vertices), np.asarray(true.faces, np.int64))
    unwrapped = unwrap(mesh, TEXTURE_SIZE, progress)
    color = bake_base_color(unwrapped, views.views, normalization, TEXTURE_SIZE, progress)
    with ResultFolder(output) as folder:
        write_glb(folder / "mesh.glb", unwrapped, plain_dielectric(color), normalization)
        (folder / REPORT).write_text("{}\n", "utf-8")
    sys.stdout.write(json.dumps({"mesh": str(output / "mesh.glb")}) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
