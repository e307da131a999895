# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The main path: posed views to a textured mesh, stage by stage as in the paper's Figure 2.

Both stages of the network attend as `backend/model/attention.py` says, eqs. (1), (2) and (5)-(8).
"""

from __future__ import annotations

import gc
from dataclasses import asdict
from typing import TYPE_CHECKING

from .field.config import HALF_SIDE
from .field.density import render_step
from .job import Job
from .materials.environment_map import EnvironmentMap
from .materials.light_transport import Light
from .mesh.live_preview import LivePreview
from .mesh.surfaces import CarvedSurface, FittedSurface, HullSurface, PredictedSurface
from .model.dinov3 import ImageFeatures
from .model.inference import (
    SparseStageInputs,
    predict_dense,
    route_tokens,
    select_tokens,
)
from .model.preprocess import from_views
from .model.weights.checkpoint import Checkpoint, open_checkpoint
from .model.weights.dinov3_files import load_dinov3
from .photographs.missing_masks import add_missing_masks, have_masks
from .planned_memory import network_need, surface_need
from .refine.config import SECONDS, RefineConfig
from .refine.refine import Refinement
from .result.files import Result
from .result.folder import ResultFolder
from .result.report import Report
from .setup.device import choose_devices, dtype_on, free_memory, free_per_rank, name_of
from .shared.cameras import Normalization
from .shared.capture.checksums import with_changes_named
from .shared.capture.json_files import read_capture_json
from .shared.capture.reader import read_capture
from .shared.checkpoint_folders import find_dinov3
from .shared.names.asset_names import name_of_views
from .shared.names.result_names import REPORT
from .shared.radiance_hdr import read_hdr
from .shared.up_axis import choose_up
from .stereo.stereo_start import find_stereo_start
from .texturing import bake_textures, coarser_levels, separate_light, unwrap_mesh
from .views.selection import MAX_FIT_VIEWS, size_in_memory, spread_views
from .views.views import Views, load_views
from .views.visual_hull import VisualHull, estimate_bounding_sphere
from .workers.ranks import ranks_on

if TYPE_CHECKING:
    from pathlib import Path

    from .mesh.surfaces import Surface
    from .mesh.triangle_mesh import UnwrappedMesh
    from .request import ReconstructRequest
    from .shared.capture.capture import Capture
    from .shared.progress import Progress
    from .stereo.cavities import Cavities

STAGES_OF_NETWORK = ("dense stage", "selection", "routing", "sparse stage")


def reconstruct(
    request: ReconstructRequest, progress: Progress, previews: Path | None = None
) -> Report:
    """Turn posed views into a mesh with textures in the result folder `request.output`.

    Args:
        request: the options.
        progress: receives stages and previews, and is checked for a cancel.
        previews: a folder for previews of what there is so far; without one there are none.

    Raises:
        LsrmError: one of its kinds, before anything of a previous result is touched.
    """
    request.check()
    request = request.settled()
    device = name_of(choose_devices(request.device))
    checkpoint = open_checkpoint(request.checkpoint) if request.uses_network else None
    options = {key: str(value) for key, value in asdict(request).items()}
    report = Report(request=options, device=device, checkpoint={"name": request.checkpoint})
    with ResultFolder(request.output) as folder:
        capture = with_changes_named(read_capture(request.views))
        report.name = name_of_views(capture.folder, read_capture_json(capture.folder))
        capture = complete_masks(capture, folder, request, report, progress)
        capture = capture.with_mask_edge(request.mask_edge)
        with report.stage("views", progress):
            views = load_views(
                capture,
                progress,
                max_size=size_in_memory(capture.frames),
                fix_cameras=request.fix_cameras,
            )
            report.views = views.to_dict()
            normalization = normalize_scene(views)
            light = None if views.moved else known_light(capture, normalization)
            poses = [view.camera_to_world for view in views.views]
            up = choose_up(request.up, poses, own=capture.is_own)
            shown = (views.views, normalization, up)
            preview = LivePreview(previews, *shown, progress) if previews else None
            job = Job(request, views, normalization, light, report, progress, preview)
        predicted = checkpoint is not None and checkpoint.config.predicts_materials
        request.check_light(known=predicted or light is not None)
        check_memory(job)
        start = predict(job, checkpoint) if checkpoint else carve(job)
        if preview:
            preview.show_surface(start)
        surface = refine(job, start, find_cavities(job, start))
        mesh = extract_mesh(job, surface)
        materials = separate_light(job, mesh, start)
        mesh = materials.shade(mesh) if materials else mesh
        textures = bake_textures(job, mesh, surface, start, materials)
        levels = coarser_levels(job, mesh, textures)
        with job.stage("write"):
            result = Result(surface, mesh, textures, views, normalization, up, materials, levels)
            result.write(folder, report, progress)
        report.write(folder / REPORT)
    return report


def complete_masks(
    capture: Capture,
    folder: Path,
    request: ReconstructRequest,
    report: Report,
    progress: Progress,
) -> Capture:
    """Make the masks of photographs that have none; the result shows them in a picture."""
    masked = have_masks(capture.frames)
    if all(masked):
        return capture
    with report.stage("masks", progress):
        completed = add_missing_masks(capture, masked, folder, request.mask_source, progress)
    report.counts["masks_made"] = completed.made
    report.warnings += completed.notes
    return completed.capture


def normalize_scene(views: Views) -> Normalization:
    """Put the object into the sphere of radius 0.5: the measured sphere, or the hull's."""
    sphere = views.bounding_sphere or estimate_bounding_sphere(views.views)
    return Normalization.from_sphere(sphere.center, sphere.radius)


def known_light(capture: Capture, normalization: Normalization) -> Light | None:
    """The environment and the lamps of the views, if both are known."""
    if capture.known_light is None:
        return None
    environment = EnvironmentMap(read_hdr(capture.known_light))
    return Light(environment, capture.lamps or (), normalization)


def check_memory(job: Job) -> None:
    """Refuse a card that is too small for the stages around the network.

    Raises:
        OutOfMemory: with what the largest of them needs.
    """
    if job.device.type == "cpu":
        return
    need = surface_need(job.views.views, job.request)
    need.check([free_memory(job.device)], [str(job.device)])


def carve(job: Job) -> HullSurface:
    """Without a network, the silhouettes are all that is known of the shape."""
    for stage in STAGES_OF_NETWORK:
        job.report.leave_out(stage, "no checkpoint")
    with job.stage("hull"):
        views, device = job.views.views, job.device
        hull = VisualHull.from_views(views, job.normalization, device, job.progress)
        return HullSurface(hull, device)


def predict(job: Job, checkpoint: Checkpoint) -> PredictedSurface:
    """The network: the dense stage, its informative tokens, their routing, the sparse stage.

    The dense stage is released before the sparse one is loaded, so that only one is in memory. Of
    several devices the first one does all but the sparse stage, which they share.
    """
    report, config = job.report, checkpoint.config
    devices = choose_devices(report.device)
    device = devices[0]
    dtype = dtype_on(device)
    report.checkpoint["fingerprint"] = checkpoint.fingerprint()
    dense, selection_name, routing, sparse = STAGES_OF_NETWORK
    weights = find_dinov3() if config.image_features == "dinov3" else None
    width = config.dense.encoder.feature_width or None
    tensors = from_views(job.views.views, job.normalization, config)
    need = network_need(config, tensors.mask, devices, weights)
    job.progress.report(dense, 0.0, f"needs about {need.peak / 1e9:.1f} GB on {device}")
    need.check(free_per_rank(devices), [str(each) for each in devices])
    with ranks_on(devices, dtype, in_turn=need.in_turn) as ranks:
        with job.stage(dense) as report_fraction:
            network = load_dinov3(weights, width).to(device, dtype) if weights else None
            features = ImageFeatures(network, job.progress.check) if network else None
            stage = checkpoint.load_stage("dense", device, dtype)
            prediction = predict_dense(stage, tensors, features, report_fraction)
            del stage
            gc.collect()
        with job.stage(selection_name) as report_fraction:
            selection = select_tokens(prediction, tensors, config, report_fraction)
        with job.stage(routing) as report_fraction:
            plan = route_tokens(prediction, selection, tensors, config, report_fraction)
        with job.stage(sparse) as report_fraction:
            inputs = SparseStageInputs(selection, plan, prediction.field)
            field = ranks.predict_sparse(checkpoint, tensors, inputs, features, report_fraction)
    report.counts |= {
        "image_tokens": len(selection.tokens.image),
        "volume_tokens": len(selection.tokens.volume),
    }
    step = render_step(config.half_side, config.sparse.samples_per_ray)
    materials = config.predicts_materials
    return PredictedSurface(
        field, device, tensors.frame.rotation, config.half_side, step, materials
    )


def find_cavities(job: Job, start: Surface) -> Cavities | None:
    """What silhouettes alone cannot show: empty space inside the hull, where views agree on it."""
    reason = ""
    if not isinstance(start, HullSurface):
        reason = "the network predicts the shape"
    elif job.request.refine == "off":
        reason = "off"
    elif job.request.refine != "auto" and float(job.request.refine) < SECONDS:
        reason = "too little time"
    if reason:
        job.report.leave_out("stereo", reason)
        return None
    with job.stage("stereo"):
        hull, device = start.signed_distance, job.device
        found = find_stereo_start(
            job.views.views, job.normalization, hull, HALF_SIDE, job.progress, device
        )
    job.report.counts["stereo_accepted"] = int(found.cavities is not None)
    if found.error_ratio is not None:
        job.report.metrics["stereo_error_ratio"] = round(found.error_ratio, 4)
    return found.cavities


def refine(job: Job, start: Surface, cavities: Cavities | None) -> Surface:
    """Fit the field to the views, within their outer bound; optional."""
    if job.request.refine == "off":
        job.report.leave_out("refine", "off")
        return start
    config = RefineConfig(seed=job.request.seed)
    if job.request.refine != "auto":
        config = config.within(float(job.request.refine))
    # A hull of all views knows the outlines that it would be judged by: the fit carves its own.
    initial = None if isinstance(start, HullSurface) else start.signed_distance
    carve = cavities.cut_from if cavities else None
    # Lamps are different at every point; the fit knows distant light only.
    distant = job.light.environment if job.light and not job.light.lamps else None
    views = spread_views(job.views.views, MAX_FIT_VIEWS)
    job.report.counts["fit_views"] = len(views)
    with job.stage("refine"):
        refinement = Refinement(views, job.normalization, HALF_SIDE, config, distant, job.device)
        field = refinement.run(initial, job.progress, carve, job.preview)
    if field is None:
        job.report.warnings.append(
            "Refinement is left out: views held back look no better with it, or are too few."
        )
        return CarvedSurface(carve(start.signed_distance), job.device) if carve else start
    return FittedSurface(field, job.device)


def extract_mesh(job: Job, surface: Surface) -> UnwrappedMesh:
    """The zero level set as a clean mesh with texture coordinates, in the normalized frame."""
    with job.stage("mesh"):
        mesh = surface.extract_mesh(job.request.faces, job.progress)
        job.progress.report("mesh", 0.5, "unwrapping")
        return unwrap_mesh(job, mesh)
