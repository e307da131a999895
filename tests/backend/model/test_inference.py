# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Both stages in a row on posed views, with random weights."""

from __future__ import annotations

import dataclasses
import math
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from backend.field.decoders import DirectDecoder
from backend.field.density import render_step
from backend.field.field import VolumeField
from backend.field.grids import evaluate, grid_points
from backend.field.volumes import DenseVolume
from backend.mesh.isosurface import extract_isosurface
from backend.mesh.network_surface import SurfaceSettings, extract_network_surface
from backend.model import inference
from backend.model.config.presets import preset
from backend.model.inference import (
    DensePrediction,
    SparseStageInputs,
    predict_dense,
    predict_sparse,
    route_tokens,
    select_tokens,
    surface_maps,
)
from backend.model.preprocess import ViewTensors, from_views
from backend.model.stage import Stage
from backend.shared.cameras import (
    Normalization,
    fibonacci_sphere,
    intrinsics_from_fov,
    look_at,
    project,
)
from backend.shared.capture.reader import read_capture
from backend.shared.capture.writer import write_transforms
from backend.shared.errors import EmptyMask
from backend.shared.progress import Progress
from backend.views.views import View, load_views
from backend.views.visual_hull import VisualHull, estimate_bounding_sphere

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from backend.model.config.model_config import ModelConfig, StageConfig

CENTER, SCALE = np.array([3.0, -1.0, 0.5]), 0.25
BOX = np.array([0.30, 0.22, 0.12])  # half sides of the object, in normalized units


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Small tensors: more threads only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def narrow() -> ModelConfig:
    """The preset `tiny` with hardly any width and depth."""
    base = preset("tiny")

    def smaller(stage: object, resolution: int) -> object:
        transformer = dataclasses.replace(
            stage.transformer,
            volume_resolution=resolution,
            upsample=2,
            width=32,
            depth=1,
            query_heads=4,
            skip_links=(0,),
        )
        encoder = dataclasses.replace(stage.encoder, width=32)
        return dataclasses.replace(
            stage, image_size=64, encoder=encoder, transformer=transformer, samples_per_ray=48
        )

    return dataclasses.replace(base, dense=smaller(base.dense, 8), sparse=smaller(base.sparse, 16))


def views_of_box(count: int, size: int, turn: np.ndarray | None = None) -> list[View]:
    """Silhouettes of a box in a world that is shifted, scaled and optionally turned."""
    turn = np.eye(3) if turn is None else turn
    corners = np.array(np.meshgrid(*[[-1.0, 1.0]] * 3)).reshape(3, -1).T * BOX
    intrinsics = intrinsics_from_fov(size, size, math.radians(40))
    views = []
    for number, direction in enumerate(fibonacci_sphere(count)):
        pose = look_at(direction * 1.6, np.zeros(3))
        pixels, _ = project(corners, intrinsics, pose)
        mask = _filled_hull(pixels, size)
        image = np.repeat(mask[..., None], 3, 2) * np.linspace(0.2, 1, size)[:, None, None]
        world = np.eye(4)
        world[:3, :3] = turn @ pose[:3, :3]
        world[:3, 3] = turn @ pose[:3, 3] / SCALE + CENTER
        views.append(View(str(number), image.astype(np.float32), mask, intrinsics, world))
    return views


def _filled_hull(points: np.ndarray, size: int) -> np.ndarray:
    from scipy.spatial import ConvexHull

    line = np.arange(size) + 0.5
    grid = np.stack(np.meshgrid(line, line), -1)
    inside = np.ones((size, size), bool)
    for a, b, c in ConvexHull(points).equations:
        inside &= grid @ [a, b] + c <= 0
    return inside.astype(np.float32)


def _normalization() -> Normalization:
    return Normalization(tuple(CENTER.tolist()), SCALE)


def _stages(config: ModelConfig) -> tuple[Stage, Stage]:
    torch.manual_seed(0)
    stages = Stage(config.dense), Stage(config.sparse)
    for stage in stages:
        stage.requires_grad_(requires_grad=False)
    return stages


def _with_hull(
    prediction: DensePrediction,
    views: list[View],
    tensors: ViewTensors,
    config: ModelConfig,
    normalization: Normalization | None = None,
) -> DensePrediction:
    """Random weights have no surface: let the hull of the silhouettes stand for the dense stage."""
    hull = VisualHull.from_views(views, normalization or _normalization(), torch.device("cpu"))
    rotation = torch.tensor(tensors.frame.rotation).float()
    size, channels = 32, config.dense.decoder.input_width
    points = grid_points(config.half_side, size, "zyx")
    features = torch.zeros(channels, size, size, size)
    features[0] = hull.signed_distance(points @ rotation.T).view(size, size, size)
    volume = DenseVolume(features, config.half_side)
    return dataclasses.replace(prediction, field=VolumeField(volume, DirectDecoder(3), 200.0))


def test_views_to_mesh_with_random_weights() -> None:
    """With a coarse volume of the hull the mesh of the field lies at the object."""
    config, views = narrow(), views_of_box(16, 96)
    tensors = from_views(views, _normalization(), config)
    dense, sparse = _stages(config)
    prediction = _with_hull(predict_dense(dense, tensors), views, tensors, config)
    selection = select_tokens(prediction, tensors, config)
    assert 100 < len(selection.tokens.volume) < 16**3 / 2
    assert selection.views == 16
    plan = route_tokens(prediction, selection, tensors, config)
    inputs = SparseStageInputs(selection, plan, prediction.field)
    field = predict_sparse(sparse, tensors, inputs)
    colors = field.appearance(torch.rand(10, 3) - 0.5)
    assert colors.shape == (10, 3)
    assert ((colors > 0) & (colors < 1)).all()
    mesh = extract_isosurface(field.signed_distance, config.half_side, 32, Progress())
    world = tensors.frame.to_world(mesh.vertices)
    reach = np.abs((world - CENTER) * SCALE).max(0)
    assert (reach < BOX + 0.15).all()


def test_surface_maps_see_the_object() -> None:
    """Rays through the crops meet the hull's surface: opaque on the object, clear beside it."""
    config, views = narrow(), views_of_box(6, 96)
    config = dataclasses.replace(
        config, dense=dataclasses.replace(config.dense, samples_per_ray=256)
    )
    tensors = from_views(views, _normalization(), config)
    prediction = _with_hull(predict_dense(_stages(config)[0], tensors), views, tensors, config)
    maps = surface_maps(
        prediction, tensors, select_tokens(prediction, tensors, config).tokens, config
    )
    mask = torch.nn.functional.interpolate(tensors.mask, (32, 32), mode="area")[:, 0]
    assert maps.opacity[0][mask > 0.999].median() > 0.98
    assert maps.opacity[0][mask == 0].median() < 0.1
    seen = maps.points[0][(mask > 0.999) & (maps.opacity[0] > 0.98)]
    assert prediction.field.signed_distance(seen).abs().median() < 0.02


def test_routing_reads_no_pixel_outside_of_kept_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rendering every pixel of the surface maps changes no block table."""
    config, views = narrow(), views_of_box(4, 64)
    tensors = from_views(views, _normalization(), config)
    prediction = _with_hull(predict_dense(_stages(config)[0], tensors), views, tensors, config)
    selection = select_tokens(prediction, tensors, config)
    holes = selection.tokens.image[:, 2] < 3  # leave whole blocks without a token
    tokens = dataclasses.replace(selection.tokens, image=selection.tokens.image[~holes])
    selection = dataclasses.replace(selection, tokens=tokens)
    some = route_tokens(prediction, selection, tensors, config)
    everything = torch.ones(4, config.surface_map_size, config.surface_map_size, dtype=torch.bool)
    monkeypatch.setattr(inference, "_pixels_of_blocks", lambda *_: everything)
    full = route_tokens(prediction, selection, tensors, config)
    for field in dataclasses.fields(some.routes):
        tables = [getattr(plan.routes, field.name).plan.table for plan in (some, full)]
        assert torch.equal(*tables)


def test_a_turned_and_moved_object_gives_the_same_input() -> None:
    """The capture of an object rotated in the world is the same to the network, and comes back."""
    config = narrow()
    angle = 0.7
    turn = np.array(
        [[math.cos(angle), -math.sin(angle), 0], [math.sin(angle), math.cos(angle), 0], [0, 0, 1]]
    )
    turn = turn @ look_at(np.array([1.0, 2.0, 0.5]), np.zeros(3))[:3, :3]
    plain = from_views(views_of_box(5, 64), _normalization(), config)
    turned = from_views(views_of_box(5, 64, turn), _normalization(), config)
    for name in ("rgb", "mask", "ray_origins", "ray_directions", "cameras", "windows"):
        torch.testing.assert_close(
            getattr(turned, name), getattr(plain, name), atol=2e-6, rtol=0, msg=name
        )
    point = np.array([[0.1, 0.2, -0.3]])
    back = (plain.frame.to_world(point) - CENTER) @ turn.T + CENTER
    np.testing.assert_allclose(turned.frame.to_world(point), back, atol=1e-6)


def test_half_precision_stages_give_a_full_precision_field() -> None:
    """Weights in bfloat16 run on a CPU too; the field that comes out is float32."""
    config, views = narrow(), views_of_box(4, 64)
    tensors = from_views(views, _normalization(), config)
    dense, sparse = (stage.bfloat16() for stage in _stages(config))
    prediction = predict_dense(dense, tensors)
    assert prediction.volume_feature.dtype == torch.bfloat16
    selection = select_tokens(prediction, tensors, config)
    plan = route_tokens(prediction, selection, tensors, config)
    inputs = SparseStageInputs(selection, plan, prediction.field)
    field = predict_sparse(sparse, tensors, inputs)
    assert field.signed_distance(torch.zeros(3, 3)).dtype == torch.float32


def test_image_features_are_extracted_and_reported_view_by_view() -> None:
    """They are half of a stage's work: one view after the other, then the two blocks."""
    config, shapes, reports = narrow(), [], []
    encoder = dataclasses.replace(config.dense.encoder, feature_width=5)
    stage = Stage(dataclasses.replace(config.dense, encoder=encoder))

    def features(images: torch.Tensor, wanted: StageConfig) -> torch.Tensor:
        shapes.append(images.shape)
        return torch.zeros(len(images), wanted.patches_per_side**2, 5)

    tensors = from_views(views_of_box(4, 64), _normalization(), config)
    predict_dense(stage, tensors, features, reports.append)
    assert shapes == [(1, 3, 64, 64)] * 4
    assert reports == [0, 0.125, 0.25, 0.375, 0.5, 0.75]


def test_no_object_in_any_view_is_an_error() -> None:
    """Masks without a pixel cannot be reconstructed."""
    config, views = narrow(), views_of_box(3, 64)
    tensors = from_views(views, _normalization(), config)
    prediction = predict_dense(_stages(config)[0], tensors)
    with pytest.raises(EmptyMask):
        select_tokens(prediction, dataclasses.replace(tensors, mask=tensors.mask * 0), config)


@pytest.mark.slow
def test_tiny_is_quick() -> None:
    """8 views of 128 px through both stages of `tiny` within 10 s on two free CPU cores."""
    config, views = preset("tiny"), views_of_box(8, 128)
    tensors = from_views(views, _normalization(), config)
    dense, sparse = _stages(config)
    begin = time.process_time()
    prediction = predict_dense(dense, tensors)
    prediction = _with_hull(prediction, views, tensors, config)
    selection = select_tokens(prediction, tensors, config)
    plan = route_tokens(prediction, selection, tensors, config)
    inputs = SparseStageInputs(selection, plan, prediction.field)
    field = predict_sparse(sparse, tensors, inputs)
    evaluate(field.signed_distance, torch.zeros(1, 3))
    # CPU seconds of one thread, halved, so that a busy neighbor does not fail the test.
    assert (time.process_time() - begin) / 2 <= 10


@pytest.fixture(scope="module")
def photographs(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[View, ...]:
    """16 views of a real object, taken from all around it."""
    capture = read_capture(shared / "data" / "captures" / "maryrose_tankard")
    sixteen = capture.frames[:: len(capture.frames) // 16][:16]
    path = tmp_path_factory.mktemp("tankard") / "transforms.json"
    write_transforms(path, sixteen)
    return load_views(read_capture(path), Progress(), max_size=256).views


@pytest.mark.parametrize(
    "config",
    [narrow(), pytest.param(preset("tiny"), marks=pytest.mark.slow)],
    ids=["narrow", "tiny"],
)
def test_a_mesh_from_photographs(photographs: tuple[View, ...], config: ModelConfig) -> None:
    """16 photographs through both stages with random weights, the coarse volume from the hull."""
    assert len(photographs) == 16
    sphere = estimate_bounding_sphere(photographs)
    normalization = Normalization.from_sphere(sphere.center, sphere.radius)
    tensors = from_views(photographs, normalization, config)
    dense, sparse = _stages(config)
    prediction = predict_dense(dense, tensors)
    prediction = _with_hull(prediction, list(photographs), tensors, config, normalization)
    selection = select_tokens(prediction, tensors, config)
    assert selection.views == 16
    assert set(selection.tokens.image[:, 1].tolist()) == set(range(16))
    plan = route_tokens(prediction, selection, tensors, config)
    inputs = SparseStageInputs(selection, plan, prediction.field)
    field = predict_sparse(sparse, tensors, inputs)
    step = render_step(config.half_side, config.sparse.samples_per_ray)
    settings = SurfaceSettings(config.half_side, step, resolution=64, cells=128)
    rotation = tensors.frame.rotation
    mesh = extract_network_surface(field, rotation, settings, Progress())
    assert len(mesh.faces) > 100  # an untrained decoder gives a small sphere, the hull is around it
    assert np.linalg.norm(mesh.vertices, axis=1).max() < 0.65
    hull = VisualHull.from_views(photographs, normalization, torch.device("cpu"))
    token = 2 * config.half_side / config.sparse.transformer.volume_resolution
    outside = hull.signed_distance(torch.from_numpy(mesh.vertices).float())
    assert outside.max() < token
