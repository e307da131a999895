# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bound of the quality benchmark: the true mesh with textures from the views, as a result folder.

python -m benchmarks.quality.true_geometry VIEWS OUT MATERIAL      (in the backend environment)

MATERIAL as of `reconstruct`: with `rgb` it shows what views can reach without any error of shape,
with `pbr` what the estimate of materials loses where the shape is true.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import trimesh

from backend.job import Job
from backend.mesh.glb import write_glb
from backend.mesh.surfaces import Surface
from backend.mesh.triangle_mesh import TriangleMesh
from backend.pipeline import known_light, normalize_scene
from backend.request import ReconstructRequest
from backend.result.folder import ResultFolder
from backend.result.report import Report
from backend.shared.capture.reader import read_capture
from backend.shared.names.result_names import REPORT
from backend.shared.progress import Progress
from backend.texturing import bake_textures, separate_light, unwrap_mesh
from backend.views.views import load_views

if TYPE_CHECKING:
    from torch import Tensor


class TrueSurface(Surface):
    """The true surface: its mesh is at hand, its distance is not needed."""

    def signed_distance(self, points: Tensor) -> Tensor:
        """Not known."""
        raise NotImplementedError


def main(views_folder: Path, output: Path, material: str) -> None:
    """Texture `VIEWS/test/reference_mesh.ply` from the input views."""
    request = ReconstructRequest(views_folder, output, material=material)
    capture, report, progress = read_capture(views_folder), Report({}, "cpu", {}), Progress()
    views = load_views(capture, progress)
    normalization = normalize_scene(views)
    job = Job(request, views, normalization, known_light(capture, normalization), report, progress)
    true = trimesh.load_mesh(views_folder / "test" / "reference_mesh.ply")
    vertices = job.normalization.apply(np.asarray(true.vertices))
    mesh = unwrap_mesh(job, TriangleMesh(vertices, np.asarray(true.faces, np.int64)))
    surface = TrueSurface()
    materials = separate_light(job, mesh, surface)
    mesh = materials.shade(mesh) if materials else mesh
    textures = bake_textures(job, mesh, surface, surface, materials)
    with ResultFolder(output) as folder:
        write_glb(folder / "mesh.glb", mesh, textures, job.normalization)
        report.write(folder / REPORT)
    sys.stdout.write(json.dumps({"mesh": str(output / "mesh.glb")}) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
