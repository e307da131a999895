# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a mesh to textures: texture coordinates, materials, images, levels of detail."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .lods.levels import STAGE as LEVELS
from .lods.levels import Level, make_levels
from .materials.estimate import estimate_materials, estimate_unlit
from .materials.texture import bake_materials
from .mesh.exposure import estimate_gains
from .mesh.glb import Textures, plain_dielectric
from .mesh.texture import BakeSettings, bake_base_color, decode_textures
from .mesh.texture_size import choose_texture_size
from .mesh.unwrap import unwrap

if TYPE_CHECKING:
    from .job import Job
    from .materials.surface_materials import SurfaceMaterials
    from .mesh.surfaces import Surface
    from .mesh.triangle_mesh import TriangleMesh, UnwrappedMesh


def unwrap_mesh(job: Job, mesh: TriangleMesh) -> UnwrappedMesh:
    """Texture coordinates, for a texture of the requested size or as fine as the views."""
    if job.request.texture_size == "auto":
        size = choose_texture_size(mesh, job.views.views, job.normalization)
    else:
        size = int(job.request.texture_size)
    job.report.counts["texture_size"] = size
    return unwrap(mesh, size, job.progress)


def separate_light(job: Job, mesh: UnwrappedMesh, start: Surface) -> SurfaceMaterials | None:
    """Base color, roughness and metallic from the views, where their light is known."""
    reason = ""
    if job.request.material == "rgb":
        reason = "colors with their light were requested"
    elif start.materials:
        reason = "predicted by the network"
    if reason:
        job.report.leave_out("materials", reason)
        return None
    if job.light is None:
        return estimate_light(job, mesh)
    with job.stage("materials"):
        found = estimate_materials(
            mesh, job.views.views, job.normalization, job.light, job.progress, job.device
        )
    job.report.light = "known"
    if job.request.material == "auto" and not found.materials.plausible:
        job.report.note("materials", "the views contradict their light, which stays in the color")
        return None
    if not found.materials.specular:
        job.report.note("materials", "no reflections: roughness and metallic are constant")
    job.report.metrics["material_residual"] = round(found.materials.residual, 6)
    return found


def estimate_light(job: Job, mesh: UnwrappedMesh) -> SurfaceMaterials | None:
    """Base color from views whose light is not known, where they show what light it was."""
    with job.stage("materials"):
        found = estimate_unlit(mesh, job.views.views, job.normalization, job.progress, job.device)
    light = found.estimated_light if found else None
    if found is None or light is None or not found.materials.plausible:
        job.report.note(
            "materials",
            "the light of the views is not known, and no estimate of it explains more of their "
            "shading than none: it stays in the color",
        )
        return None
    job.report.light = "estimated"
    job.report.metrics["unexplained_shading"] = round(light.unexplained, 4)
    job.report.note(
        "materials", "the light of the views is estimated: roughness and metallic are constant"
    )
    return found


def bake_textures(
    job: Job,
    mesh: UnwrappedMesh,
    surface: Surface,
    start: Surface,
    materials: SurfaceMaterials | None,
) -> Textures:
    """Estimated or predicted materials; else the colors of the views, with their light.

    A fit changes shape and color only: predicted materials are those of the surface it starts from.
    """
    views, progress = job.views.views, job.progress
    with job.stage("texture"):
        if materials:
            job.report.material = "pbr"
            return bake_materials(materials, views, job.normalization, progress, job.device)
        if job.request.material != "rgb" and start.materials:
            job.report.material = "pbr"
            return decode_textures(mesh, start.materials, progress, job.device)
        gains = estimate_gains(mesh.mesh, views, job.normalization, progress, job.device)
        if gains is not None:
            job.report.gains = {
                view.name: np.round(gain, 4).tolist()
                for view, gain in zip(views, gains, strict=True)
            }
        bake = BakeSettings(surface.appearance, gains, job.device)
        return plain_dielectric(bake_base_color(mesh, views, job.normalization, progress, bake))


def coarser_levels(job: Job, mesh: UnwrappedMesh, textures: Textures) -> tuple[Level, ...]:
    """The levels of detail that were requested, as far as they are coarser than the mesh."""
    targets = job.request.lods
    if not targets:
        return ()
    with job.stage(LEVELS):
        levels = tuple(make_levels(mesh, textures, targets, job.progress))
    made = {level.target for level in levels}
    for target in (each for each in targets if each not in made):
        faces = len(mesh.mesh.faces)
        job.report.warnings.append(
            f"The level of {target} faces is left out: the mesh has {faces} faces only."
        )
    return levels
