# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network inside `reconstruct`: from a checkpoint folder to a result folder."""

from __future__ import annotations

import dataclasses
import json
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from backend import pipeline
from backend.field.field_file import PosedField
from backend.job import Job
from backend.mesh import surfaces
from backend.mesh.network_surface import SurfaceSettings, extract_network_surface
from backend.mesh.surfaces import FittedSurface, PredictedSurface
from backend.model.dinov3 import DinoV3, DinoV3Config
from backend.model.transformer import Block
from backend.model.weights.dinov3_files import loaded_size
from backend.pipeline import STAGES_OF_NETWORK, reconstruct, refine
from backend.request import ReconstructRequest
from backend.result.report import Report
from backend.shared.cameras import fibonacci_sphere, intrinsics_from_fov, look_at
from backend.shared.capture.capture import Frame
from backend.shared.capture.json_files import write_capture_json
from backend.shared.capture.writer import write_transforms
from backend.shared.errors import BadRequest, Cancelled, CheckpointMissing, OutOfMemory
from backend.shared.progress import Progress
from backend.texturing import bake_textures
from backend.views.views import Views
from kernels.core.dispatch import forced
from tests.kernels.gpu.simulated_gpu import simulated_gpu
from tests.small_checkpoint import write_small_checkpoint

PIL = pytest.importorskip("PIL.Image")


@pytest.fixture(autouse=True)
def _coarse(monkeypatch):
    """Small meshes, so that these tests are quick."""
    monkeypatch.setattr(surfaces, "MESH_RESOLUTION", 64)
    monkeypatch.setattr(surfaces, "SurfaceSettings", partial(SurfaceSettings, cells=128))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """Small weights that predict colors."""
    return write_small_checkpoint(tmp_path_factory.mktemp("weights") / "small")


@pytest.fixture(scope="module")
def capture(tmp_path_factory):
    """Eight views of a disk on white."""
    folder = tmp_path_factory.mktemp("views")
    (folder / "images").mkdir()
    lens = intrinsics_from_fov(64, 64, 0.7)
    rows, columns = np.mgrid[:64, :64]
    inside = np.hypot(rows - 31.5, columns - 31.5) < 24
    image = np.full((64, 64, 4), 128, np.uint8)
    image[..., 3] = 255 * inside
    frames = []
    for number, direction in enumerate(fibonacci_sphere(8)):
        path = folder / "images" / f"{number}.png"
        PIL.fromarray(image).save(path)
        frames.append(Frame(str(number), path, None, lens, look_at(1.5 * direction, (0, 0, 0))))
    write_transforms(folder / "transforms.json", frames)
    sphere = {"center": [0.0, 0.0, 0.0], "radius": 0.5}
    write_capture_json(folder, {"bounding_sphere": sphere})
    return folder


def request(capture, checkpoint, output):
    return ReconstructRequest(
        capture,
        output,
        checkpoint=str(checkpoint),
        refine="off",
        texture_size="64",
        faces=500,
        device="cpu",
    )


def test_checkpoint_folder_to_result_folder(capture, checkpoint, tmp_path):
    """All four stages run, are timed and counted, and a mesh comes out."""
    report = reconstruct(request(capture, checkpoint, tmp_path / "out"), Progress())
    seconds = {stage.name: stage.seconds for stage in report.stages}
    assert all(seconds[name] > 0 for name in STAGES_OF_NETWORK)
    assert report.counts["image_tokens"] > 0
    assert report.counts["volume_tokens"] > 0
    document = json.loads((tmp_path / "out" / "report.json").read_text("utf-8"))
    assert len(document["checkpoint"]["fingerprint"]) >= 32
    assert (tmp_path / "out" / "mesh.glb").stat().st_size > 1000


@pytest.mark.parametrize("refine", ["off", pytest.param("1", marks=pytest.mark.slow)])
def test_a_job_runs_on_a_gpu(capture, checkpoint, tmp_path, refine):
    """Tensors of the CPU and of the GPU are never mixed; those of the result are on the CPU."""
    job = request(capture, checkpoint, tmp_path / "out")
    with simulated_gpu(), forced("reference"):
        report = reconstruct(dataclasses.replace(job, device="cuda", refine=refine), Progress())
    assert report.device == "cuda"
    ran = [stage for stage in report.stages if stage.seconds]
    assert all(stage.peak_device_memory_mb is not None for stage in ran)
    field = PosedField.read(tmp_path / "out" / "field.safetensors").field
    assert field.signed_distance(torch.zeros(2, 3)).isfinite().all()
    assert (tmp_path / "out" / "mesh.glb").stat().st_size > 1000


def test_materials_and_image_features_run_on_a_gpu(capture, tmp_path, monkeypatch):
    """The network of the image features runs on the GPU too, and textures are decoded there."""
    features = DinoV3Config(width=48, depth=1, heads=3, hidden=64)
    torch.save(DinoV3(features).state_dict(), tmp_path / "dinov3.pth")
    monkeypatch.setattr(pipeline, "find_dinov3", lambda: tmp_path / "dinov3.pth")
    weights = write_small_checkpoint(
        tmp_path / "weights", prediction="pbr", feature_width=features.width
    )
    job = request(capture, weights, tmp_path / "out")
    with simulated_gpu(), forced("reference"):
        reconstruct(dataclasses.replace(job, device="cuda", material="pbr"), Progress())
    names = {path.name for path in (tmp_path / "out" / "textures").iterdir()}
    assert names == {"base_color.png", "metallic_roughness.png"}


def test_the_surface_is_extracted_with_the_steps_of_the_sparse_stage(
    capture, checkpoint, tmp_path, monkeypatch
):
    """A network's field is meshed as the published results were, 48 steps over the diagonal."""
    used = []

    def listening(field, rotation, settings, progress):
        used.append(settings)
        return extract_network_surface(field, rotation, settings, progress)

    monkeypatch.setattr(surfaces, "extract_network_surface", listening)
    reconstruct(request(capture, checkpoint, tmp_path / "out"), Progress())
    (settings,) = used
    assert settings.step == pytest.approx(1.732 * 2 * 0.525 / 48)
    assert settings.half_side == pytest.approx(0.525)


def test_memory_is_planned_before_weights_are_loaded(capture, checkpoint, tmp_path, monkeypatch):
    """A job that cannot fit ends with what it needs, and the previous result stays."""
    monkeypatch.setattr("backend.setup.device.free_memory", lambda _: 1 << 20)
    monkeypatch.setattr("backend.model.weights.checkpoint.Checkpoint.load_stage", None)
    with pytest.raises(OutOfMemory):
        reconstruct(request(capture, checkpoint, tmp_path / "out"), Progress())
    assert not (tmp_path / "out").exists()


def test_networks_report_their_progress(capture, checkpoint, tmp_path):
    """Both stages report before each block, in order, from the first to the last."""
    reports = []
    progress = Progress(lambda stage, fraction, _: reports.append((stage, fraction)))
    reconstruct(request(capture, checkpoint, tmp_path / "out"), progress)
    blocks = 2  # one two-sided, and one that reads a skip link
    for name in ("dense stage", "sparse stage"):
        fractions = [fraction for stage, fraction in reports if stage == name]
        assert fractions == sorted(fractions)
        assert {number / blocks for number in range(blocks)} <= set(fractions)
    assert any(0 < fraction < 1 for stage, fraction in reports if stage == "selection")


@pytest.mark.parametrize("stage", ["dense", "sparse"])
def test_cancel_stops_before_the_next_block(capture, checkpoint, tmp_path, monkeypatch, stage):
    """A job cancelled while a block computes runs no further one and leaves no result."""
    progress, ran, forward = Progress(), [], Block.forward

    def cancelling(block, volume, image, plan):
        if block.residual_on_norm == (stage == "sparse"):  # as only its blocks have it
            ran.append(block)
            progress.cancel()
        return forward(block, volume, image, plan)

    monkeypatch.setattr(Block, "forward", cancelling)
    with pytest.raises(Cancelled):
        reconstruct(request(capture, checkpoint, tmp_path / "out"), progress)
    assert len(ran) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("stage", ["selection", "routing"])
def test_cancel_stops_between_chunks(capture, checkpoint, tmp_path, monkeypatch, stage):
    """The coarse surface is evaluated in chunks, and a cancelled job stops after any of them."""
    monkeypatch.setattr("backend.model.inference.RAYS_PER_CHUNK", 64)
    reports = []

    def listen(name, fraction, _message):
        if name == stage and 0 < fraction < 1:
            reports.append(fraction)
            progress.cancel()

    progress = Progress(listen)
    with pytest.raises(Cancelled):
        reconstruct(request(capture, checkpoint, tmp_path / "out"), progress)
    assert len(reports) == 1


def test_a_missing_checkpoint_is_an_error_before_any_work(capture, tmp_path):
    """With a name that is not installed no view is read."""
    reports = []
    progress = Progress(lambda *report: reports.append(report))
    with pytest.raises(CheckpointMissing):
        reconstruct(request(capture, tmp_path / "nothing", tmp_path / "out"), progress)
    assert not reports


def test_materials_need_weights_that_predict_them(capture, checkpoint, tmp_path):
    """Weights for color cannot predict materials: an error before any work."""
    job = dataclasses.replace(request(capture, checkpoint, tmp_path / "out"), material="pbr")
    with pytest.raises(BadRequest):
        reconstruct(job, Progress())
    assert not (tmp_path / "out").exists()


def test_refinement_keeps_the_materials(monkeypatch, tmp_path):
    """What is fitted is shape and color: predicted materials stay those of the network."""
    start = PredictedSurface(_Ramp(), torch.device("cpu"), np.eye(3), 0.525, 0.01, True)  # noqa: FBT003
    fitted = _Ramp()
    run = SimpleNamespace(run=lambda *_: fitted)
    monkeypatch.setattr("backend.pipeline.Refinement", lambda *_: run)
    decoded = []
    monkeypatch.setattr("backend.texturing.decode_textures", lambda *given: decoded.append(given))
    request = ReconstructRequest(tmp_path, tmp_path, checkpoint="x", material="pbr", refine="auto")
    report = Report(request={}, device="cpu", checkpoint={})
    job = Job(request, Views((), None, ()), None, None, report, Progress())
    surface = refine(job, start, None)
    assert surface == FittedSurface(fitted)
    bake_textures(job, None, surface, start, None)
    points = torch.rand(3, 3)
    assert torch.equal(decoded[0][1](points), start.field.appearance(points))


class _Ramp:
    """A field that grows along x of the model, and shows z."""

    def signed_distance(self, points):
        return points[:, 0]

    def appearance(self, points):
        return points[:, 2:]

    def density(self, points):
        return points[:, 1]


def test_shape_turns_points_into_the_model_frame():
    """x_normalized = rotation @ x_model: a field is used where the point is in its own frame."""
    rotation = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    shape = PredictedSurface(_Ramp(), torch.device("cpu"), rotation, 0.525, 0.01)
    model = torch.tensor([[0.1, 0.2, 0.3], [-0.4, 0.0, 0.2]])
    normalized = model @ torch.from_numpy(rotation).float().T
    torch.testing.assert_close(shape.signed_distance(normalized), model[:, 0])
    torch.testing.assert_close(shape.appearance(normalized), model[:, 2:])


def test_the_feature_network_counts(tmp_path):
    """Float32 weights on disk take half their size once loaded in 16 bits."""
    (tmp_path / "model.safetensors").write_bytes(bytes(4000))
    assert loaded_size(tmp_path, torch.bfloat16) == 2000
    assert loaded_size(tmp_path / "model.safetensors", torch.float32) == 4000
