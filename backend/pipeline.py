# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The main path: posed views to a textured mesh, stage by stage as in the paper's Figure 2."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from .cameras import Normalization
from .capture_format import read_capture
from .device import choose_device
from .errors import CheckpointMissing
from .hull import VisualHull, estimate_bounding_sphere
from .mesh.cleaning import decimate, keep_solid_parts
from .mesh.glb import Textures, plain_dielectric, write_glb
from .mesh.isosurface import extract_surface
from .mesh.preview import render_unlit
from .mesh.texture import bake_base_color
from .mesh.unwrap import unwrap
from .metrics import ImageScores, mean_scores, score_image
from .report import Report
from .result_folder import REPORT, ResultFolder
from .views import Views, load_views

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from .mesh.isosurface import SignedDistance
    from .mesh.triangle_mesh import UnwrappedMesh
    from .progress import Progress

HALF_EXTENT = 0.525
"""Half the side of the model's box: 1.05 times the radius of the sphere around the object."""

MESH_RESOLUTION = 256
"""Cells along one side of the box when the surface is extracted."""

MAX_IMAGE_SIZE = 1024
"""Longest side of a view in pixels; larger photographs are averaged down."""


@dataclass(frozen=True)
class ReconstructRequest:
    """What `reconstruct` is asked for.

    Attributes:
        views: capture folder or transforms.json.
        output: result folder.
        checkpoint: name or folder of the weights; `none` starts from the silhouettes.
        refine: `off`, `auto` or seconds.
        device: `auto`, `cpu`, `cuda`, `cuda:N`.
        texture_size: side of the textures in texels.
        faces: triangles of the mesh, about.
        material: `rgb` or `pbr`.
    """

    views: Path
    output: Path
    checkpoint: str = "none"
    refine: str = "off"
    device: str = "auto"
    texture_size: int = 2048
    faces: int = 50_000
    material: str = "rgb"


def reconstruct(request: ReconstructRequest, progress: Progress) -> Report:
    """Turn posed views into a mesh with textures in the result folder `request.output`.

    Raises:
        LsrmError: one of its kinds, before anything of a previous result is touched.
    """
    device = choose_device(request.device)
    report = _begin_report(request, device)
    with ResultFolder(request.output) as folder:
        with report.stage("views", progress):
            views = load_views(read_capture(request.views), progress, max_size=MAX_IMAGE_SIZE)
            normalization = normalize(views)
        # Stages 2 to 5 predict the field with the network (issue 5). Without a checkpoint the
        # silhouettes are all that is known of the shape.
        report.leave_out("dense stage", "no checkpoint")
        report.leave_out("selection", "no checkpoint")
        report.leave_out("routing", "no checkpoint")
        report.leave_out("sparse stage", "no checkpoint")
        with report.stage("hull", progress):
            shape = VisualHull.from_views(views.views, normalization, device)
        report.leave_out("refine", "off")
        with report.stage("mesh", progress):
            unwrapped = mesh_of(shape.signed_distance, request, progress)
        with report.stage("texture", progress):
            textures = plain_dielectric(
                bake_base_color(
                    unwrapped, views.views, normalization, request.texture_size, progress
                )
            )
        with report.stage("write", progress):
            _write(folder, unwrapped, textures, views, normalization, report)
        report.write(folder / REPORT)
    return report


def normalize(views: Views) -> Normalization:
    """Put the object into the sphere of radius 0.5: the measured sphere, or the hull's."""
    sphere = views.bounding_sphere or estimate_bounding_sphere(views.views)
    return Normalization.from_sphere(sphere.center, sphere.radius)


def mesh_of(
    signed_distance: SignedDistance, request: ReconstructRequest, progress: Progress
) -> UnwrappedMesh:
    """The zero level set as a clean mesh with texture coordinates, in model space."""
    surface = extract_surface(signed_distance, HALF_EXTENT, MESH_RESOLUTION, progress)
    progress.report("mesh", 0.4, "cleaning")
    mesh = decimate(keep_solid_parts(surface), request.faces)
    progress.report("mesh", 0.5, "unwrapping")
    return unwrap(mesh, request.texture_size, progress)


def _begin_report(request: ReconstructRequest, device: torch.device) -> Report:
    """A report that knows what was asked for."""
    if request.checkpoint != "none":
        raise CheckpointMissing(
            f"There is no checkpoint called {request.checkpoint!r} on this computer.",
            "Use --checkpoint none, which needs no weights.",
        )
    asked = {key: str(value) for key, value in asdict(request).items()}
    return Report(request=asked, device=str(device), checkpoint={"name": request.checkpoint})


def _write(
    folder: Path,
    unwrapped: UnwrappedMesh,
    textures: Textures,
    views: Views,
    normalization: Normalization,
    report: Report,
) -> None:
    """Fill the result folder: mesh, textures, preview; and the report with what they are."""
    write_glb(folder / "mesh.glb", unwrapped, textures, normalization)
    (folder / "textures").mkdir()
    textures.base_color_image().save(folder / "textures" / "base_color.png")
    textures.metallic_roughness_image().save(folder / "textures" / "metallic_roughness.png")
    report.warnings.extend(views.warnings)
    report.counts = {
        "views": len(views.views),
        "vertices": len(unwrapped.mesh.vertices),
        "faces": len(unwrapped.mesh.faces),
    }
    scores = _look(folder, unwrapped, textures, views, normalization)
    report.metrics = {key: round(value, 4) for key, value in asdict(mean_scores(scores)).items()}


def _look(
    folder: Path,
    unwrapped: UnwrappedMesh,
    textures: Textures,
    views: Views,
    normalization: Normalization,
) -> list[ImageScores]:
    """Render the result from its input views: their scores, and the first one as preview.png."""
    scores: list[ImageScores] = []
    for view in views.views:
        pose = normalization.apply_to_pose(view.camera_to_world)
        render = render_unlit(unwrapped, textures.base_color, view.intrinsics, pose)
        if not scores:
            Image.fromarray(np.rint(render * 255).astype(np.uint8)).save(folder / "preview.png")
        truth = np.concatenate([view.image, view.mask[..., None]], axis=2)
        scores.append(score_image(render, truth))
    return scores
