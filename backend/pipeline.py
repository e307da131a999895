# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The main path: posed views to a textured mesh, stage by stage as in the paper's Figure 2."""

from __future__ import annotations

import gc
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import torch

from .field.config import HALF_SIDE
from .field.density import render_step
from .field.surface import Shape
from .mesh.cleaning import decimate, keep_solid_parts
from .mesh.glb import Textures, plain_dielectric
from .mesh.isosurface import extract_surface
from .mesh.network_surface import SurfaceSettings, extract_network_surface
from .mesh.texture import bake_base_color, decode_textures
from .mesh.unwrap import unwrap
from .mesh.vertex_snapping import onto_level_set
from .model.dinov3 import ImageFeatures
from .model.inference import predict_coarse, predict_fine, route_tokens, select_tokens
from .model.preprocess import from_views
from .model.weights.checkpoint import Checkpoint, open_checkpoint
from .model.weights.dinov3_files import load_dinov3, loaded_size
from .model.weights.memory import estimate
from .refine.config import RefineConfig
from .refine.refine import Refinement
from .result.files import Result
from .result.folder import REPORT, ResultFolder
from .result.report import Report
from .setup.device import choose_device, free_memory
from .shared.cameras import Normalization
from .shared.capture_format import read_capture
from .shared.checkpoint_folders import find_dinov3
from .shared.errors import BadRequest
from .views.views import Views, load_views
from .views.visual_hull import VisualHull, estimate_bounding_sphere

if TYPE_CHECKING:
    from pathlib import Path

    from .mesh.triangle_mesh import UnwrappedMesh
    from .shared.progress import Progress

MESH_RESOLUTION = 256
"""Cells along one side of the box when the surface is extracted."""

MAX_IMAGE_SIZE = 1024
"""Longest side of a view in pixels; larger photographs are averaged down."""

NO_CHECKPOINT = "none"
STAGES_OF_NETWORK = ("dense stage", "selection", "routing", "sparse stage")


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
    checkpoint: str = NO_CHECKPOINT
    refine: str = "auto"
    device: str = "auto"
    texture_size: int = 2048
    faces: int = 50_000
    material: str = "rgb"

    def check(self) -> None:
        """Refuse what cannot be done.

        Raises:
            BadRequest: naming the option and the values it takes.
        """
        if not 16 <= self.texture_size <= 16384:
            _refuse("texture size", self.texture_size, "Use 16 to 16384 texels.")
        if self.faces < 100:
            _refuse("number of faces", self.faces, "Use 100 or more.")
        has_seconds = self.refine.isdecimal() and int(self.refine) > 0
        if self.refine not in ("off", "auto") and not has_seconds:
            _refuse("refinement", self.refine, "Use off, auto, or seconds.")
        if self.material == "pbr" and self.checkpoint == NO_CHECKPOINT:
            _refuse("material", "pbr", "Materials need a checkpoint such as lsrm-pbr; use rgb.")


def reconstruct(request: ReconstructRequest, progress: Progress) -> Report:
    """Turn posed views into a mesh with textures in the result folder `request.output`.

    Raises:
        LsrmError: one of its kinds, before anything of a previous result is touched.
    """
    request.check()
    device = choose_device(request.device)
    named = request.checkpoint != NO_CHECKPOINT
    checkpoint = open_checkpoint(request.checkpoint) if named else None
    if checkpoint is not None and request.material == "pbr":
        check_materials(checkpoint)
    asked = {key: str(value) for key, value in asdict(request).items()}
    report = Report(request=asked, device=str(device), checkpoint={"name": request.checkpoint})
    with ResultFolder(request.output) as folder:
        with report.stage("views", progress):
            views = load_views(read_capture(request.views), progress, max_size=MAX_IMAGE_SIZE)
            normalization = normalize(views)
        if checkpoint is None:
            start = carve(views, normalization, report, progress)
        else:
            start = predict(checkpoint, views, normalization, report, progress)
        shape = refine(request, start, views, normalization, report, progress)
        with report.stage("mesh", progress):
            mesh = mesh_of(shape, request, progress)
        with report.stage("texture", progress):
            textures = texture_of(mesh, shape, request, views, normalization, progress)
        with report.stage("write", progress):
            Result(shape, mesh, textures, views, normalization).write(folder, report, progress)
        report.write(folder / REPORT)
    return report


def check_materials(checkpoint: Checkpoint) -> None:
    """Refuse to ask weights for materials that they do not predict.

    Raises:
        BadRequest: with what to ask for instead.
    """
    if checkpoint.config.sparse.decoder.prediction == "rgb":
        _refuse("material", "pbr", "These weights predict colors only: use rgb, or lsrm-pbr.")


def normalize(views: Views) -> Normalization:
    """Put the object into the sphere of radius 0.5: the measured sphere, or the hull's."""
    sphere = views.bounding_sphere or estimate_bounding_sphere(views.views)
    return Normalization.from_sphere(sphere.center, sphere.radius)


def carve(views: Views, normalization: Normalization, report: Report, progress: Progress) -> Shape:
    """Without a network, the silhouettes are all that is known of the shape."""
    for stage in STAGES_OF_NETWORK:
        report.leave_out(stage, "no checkpoint")
    with report.stage("hull", progress):
        hull = VisualHull.from_views(views.views, normalization, torch.device(report.device))
    return Shape(hull.signed_distance)


def predict(
    checkpoint: Checkpoint,
    views: Views,
    normalization: Normalization,
    report: Report,
    progress: Progress,
) -> Shape:
    """The network: a coarse field, the tokens worth refining, their routes, the fine field.

    Both stages attend as `backend/model/attention.py` says. Stage 1 is released before stage 2 is
    loaded, so that only one of them is in memory.
    """
    device = torch.device(report.device)
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    config = checkpoint.config
    report.checkpoint["fingerprint"] = checkpoint.fingerprint()
    dense, selection_name, routing, sparse = STAGES_OF_NETWORK
    weights = find_dinov3() if config.image_features == "dinov3" else None
    tensors = from_views(views.views, normalization, config)
    need = estimate(config, tensors, dtype, loaded_size(weights, dtype) if weights else 0)
    progress.report(dense, 0.0, f"needs about {need.peak / 1e9:.1f} GB on {device}")
    need.check(free_memory(device), str(device))
    with report.stage(dense, progress) as told:
        network = load_dinov3(weights).to(device, dtype) if weights else None
        features = ImageFeatures(network, progress.check) if network else None
        stage = checkpoint.load_stage("dense", device, dtype)
        coarse = predict_coarse(stage, tensors, features, told)
        del stage
        gc.collect()
    with report.stage(selection_name, progress) as told:
        selection = select_tokens(coarse, tensors, config, told)
    with report.stage(routing, progress) as told:
        plan = route_tokens(coarse, selection, tensors, config, told)
    with report.stage(sparse, progress) as told:
        stage = checkpoint.load_stage("sparse", device, dtype)
        field = predict_fine(stage, tensors, (selection, plan), coarse, features, told)
    report.counts |= {
        "image_tokens": len(selection.tokens.image),
        "volume_tokens": len(selection.tokens.volume),
    }
    finest = render_step(config.half_side, config.sparse.samples_per_ray)
    search = SurfaceSettings(config.half_side, finest, MESH_RESOLUTION)
    surface = partial(extract_network_surface, field, tensors.frame.rotation, search)
    return replace(Shape.of_field(field, device, tensors.frame.rotation), surface=surface)


def refine(
    request: ReconstructRequest,
    start: Shape,
    views: Views,
    normalization: Normalization,
    report: Report,
    progress: Progress,
) -> Shape:
    """Fit the field to the views, within their outer bound; ours, optional. Runs on the CPU."""
    if request.refine == "off":
        report.leave_out("refine", "off")
        return start
    config = RefineConfig()
    if request.refine != "auto":
        config = config.within(float(request.refine))
    with report.stage("refine", progress):
        refinement = Refinement(views.views, normalization, HALF_SIDE, config)
        predicted = request.checkpoint != NO_CHECKPOINT
        field = refinement.run(start.signed_distance if predicted else None, progress)
    if field is None:
        report.warnings.append(
            "Refinement is left out: views held back look no better with it, or are too few."
        )
        return start
    refined = Shape.of_field(field, torch.device("cpu"))
    if request.material == "pbr":  # what is fitted is color; the materials are the network's
        return replace(refined, appearance=start.appearance)
    return refined


def mesh_of(shape: Shape, request: ReconstructRequest, progress: Progress) -> UnwrappedMesh:
    """The zero level set as a clean mesh with texture coordinates, in the normalized frame."""
    if shape.surface:  # a network's: smoothed, as its results were published
        surface = shape.surface(progress)
    else:
        surface = extract_surface(shape.signed_distance, HALF_SIDE, MESH_RESOLUTION, progress)
    progress.report("mesh", 0.4, "cleaning")
    mesh = decimate(keep_solid_parts(surface), request.faces)
    if not shape.surface:
        mesh = onto_level_set(mesh, shape.signed_distance, 2 * HALF_SIDE / MESH_RESOLUTION)
    progress.report("mesh", 0.5, "unwrapping")
    return unwrap(mesh, request.texture_size, progress)


def texture_of(
    mesh: UnwrappedMesh,
    shape: Shape,
    request: ReconstructRequest,
    views: Views,
    normalization: Normalization,
    progress: Progress,
) -> Textures:
    """Materials as the network sees them; colors from the views where they show the surface."""
    size = request.texture_size
    if request.material == "pbr" and shape.appearance:
        return decode_textures(mesh, shape.appearance, size, progress)
    return plain_dielectric(
        bake_base_color(mesh, views.views, normalization, size, progress, shape.appearance)
    )


def _refuse(what: str, value: object, remedy: str) -> None:
    raise BadRequest(f"The {what} cannot be {value}.", remedy)
