# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a result: mesh, textures, field, preview, and scores on the input views."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from kernels.core.workers import map_per_core

from ..materials.coverage import coverage_map, surface_coverage, unseen_share
from ..mesh.glb import write_glb
from ..mesh.preview import render_mesh
from ..shared.capture.capture import ENVIRONMENT_NAME
from ..shared.names.result_names import MESH, level_mesh
from ..shared.radiance_hdr import write_hdr
from .scores import ImageScores, mean_scores, score_image

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from ..lods.levels import Level
    from ..materials.surface_materials import SurfaceMaterials
    from ..mesh.glb import Textures
    from ..mesh.surfaces import Surface
    from ..mesh.triangle_mesh import UnwrappedMesh
    from ..shared.cameras import Normalization
    from ..shared.progress import Progress
    from ..shared.up_axis import Up
    from ..views.views import Views
    from .report import Report


@dataclass(frozen=True)
class Result:
    """A reconstruction.

    Attributes:
        surface: the mesh was made from.
        mesh: in the normalized frame.
        textures: of its one material.
        views: it was made from.
        normalization: from their world to the normalized frame.
        up: which way is up in that world.
        materials: estimated ones; with them the result is scored under the light of the views.
        levels: coarser meshes.
    """

    surface: Surface
    mesh: UnwrappedMesh
    textures: Textures
    views: Views
    normalization: Normalization
    up: Up
    materials: SurfaceMaterials | None = None
    levels: tuple[Level, ...] = ()

    def write(self, folder: Path, report: Report, progress: Progress) -> None:
        """Write all files into a result folder, and their counts and scores into the report."""
        self._write_meshes(folder, report)
        progress.report("write", 0.2, "textures")
        (folder / "textures").mkdir()
        self.textures.base_color_image().save(folder / "textures" / "base_color.png")
        packed = self.textures.metallic_roughness_image()
        packed.save(folder / "textures" / "metallic_roughness.png")
        if self.materials and self.materials.estimated_light:
            environment = self.materials.estimated_light.environment
            write_hdr(folder / ENVIRONMENT_NAME, environment.radiance)
        if posed := self.surface.posed_field(self.normalization):
            posed.write(folder / "field.safetensors")
        progress.check()
        self._write_coverage(folder, report, progress)
        report.warnings.extend([*self.views.warnings, *self.up.warnings()])
        report.up = self.up.to_dict()
        taken = [view.full_intrinsics for view in self.views.views]
        report.counts |= {
            "views": len(taken),
            "view_pixels": sum(each.width * each.height for each in taken),
            "vertices": len(self.mesh.mesh.vertices),
            "faces": len(self.mesh.mesh.faces),
        }
        mean = mean_scores(self._score(folder, progress))
        report.metrics |= {key: round(value, 4) for key, value in asdict(mean).items()}

    def _write_meshes(self, folder: Path, report: Report) -> None:
        """Write the mesh and its coarser levels, and name them in the report."""
        rotation = None if self.up.is_z else self.up.rotation
        finest = (MESH, int(report.request["faces"]), self.mesh, self.textures)
        coarser = (
            (level_mesh(each.target), each.target, each.mesh, each.textures) for each in self.levels
        )
        for name, target, mesh, textures in (finest, *coarser):
            write_glb(folder / name, mesh, textures, self.normalization, rotation, report.name)
            faces = len(mesh.mesh.faces)
            report.levels.append({"file": name, "target": target, "faces": faces})

    def _write_coverage(self, folder: Path, report: Report, progress: Progress) -> None:
        """Mark what no view shows: a texture, and its share of the surface."""
        coverage = surface_coverage(self.mesh, self.views.views, self.normalization, progress)
        report.metrics["unseen_share"] = round(unseen_share(self.mesh, coverage), 4)
        Image.fromarray(coverage_map(self.mesh, coverage)).save(folder / "coverage.png")

    def _score(self, folder: Path, progress: Progress) -> list[ImageScores]:
        """Render the result from its input views: the scores, and the first as preview.png."""
        scores: list[ImageScores] = []
        count = len(self.views.views)
        seen = map_per_core(self._look_again, range(count), check=progress.check)
        for number, (render, score) in enumerate(seen):
            progress.report("write", 0.4 + 0.6 * number / count, "scores")
            if number == 0:
                preview = np.rint(render * 255).astype(np.uint8)
                Image.fromarray(preview).save(folder / "preview.png")
            scores.append(score)
        return scores

    def _look_again(self, number: int) -> tuple[NDArray[np.float32], ImageScores]:
        """What an input view would show of the result, [height, width, 4], and its scores."""
        view = self.views.views[number]
        mesh = self.materials.mesh if self.materials else self.mesh
        pose = self.normalization.apply_to_pose(view.camera_to_world)
        response = self.materials.response_in(number) if self.materials else None
        render = render_mesh(mesh, self.textures.base_color, view.intrinsics, pose, response)
        truth = np.concatenate([view.image, view.mask[..., None]], axis=2)
        return render, score_image(render, truth)
