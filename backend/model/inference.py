# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network on one object, stage by stage as in the paper's Figure 2.

`predict_dense`, `select_tokens`, `route_tokens`, `predict_sparse`: each takes the results of those
before it, so that a caller can name and time them, and free the weights of the dense stage in
between. Each calls `report` with the fraction of its work that is done, in 0..1; an exception that
`report` raises ends the work.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..field.density import render_step, step_alpha
from ..field.field import TwoLevelField, VolumeField
from ..field.grids import distances_by_plane
from ..field.ray_sampling import RaySampler
from ..field.renderer import absorb
from ..field.volumes import DenseVolume, SparseVolume
from ..shared.errors import EmptyMask
from ..shared.progress import ignore_progress
from .encoder import EncoderInputs
from .routing.release_cameras import Cameras
from .routing.routing import SurfaceMaps
from .routing.routing_tables import SparseTokens, plan_by_geometry, plan_by_score
from .routing.selection import (
    foreground_patches,
    grow_tokens,
    image_tokens,
    surface_tokens,
    upsample_image_feature,
    upsample_volume_feature,
    views_within,
    volume_tokens,
)
from .stage import SparseBatch, run_dense, run_sparse
from .stage_fusion import DenseFeatures

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..field.decoders import MlpDecoder
    from .config.model_config import ModelConfig, StageConfig
    from .preprocess import ViewTensors
    from .routing.routes import Plan
    from .stage import SparseResult, Stage

    # Images [views, 3, size, size] in -1..1 to features [views, patches, channels].
    ImageFeatures = Callable[[Tensor, StageConfig], Tensor]

RAYS_PER_CHUNK = 8192

IMAGE_FEATURES_SHARE = 0.5
"""Of a stage's work: the network of the image features is as large as the transformer."""

SAMPLES_PER_TOKEN = 4
"""Per side of a volume token, where the coarse field decides whether the token is kept."""


@dataclass(frozen=True)
class DensePrediction:
    """The dense stage's prediction for one object.

    Attributes:
        field: over the dense feature volume.
        image_features: [image tokens, width] each: the last block's, then those of the skip links.
        volume_feature: [volume tokens, width].
    """

    field: VolumeField[DenseVolume]
    image_features: tuple[Tensor, ...]
    volume_feature: Tensor


@dataclass(frozen=True)
class Selection:
    """The informative tokens.

    Attributes:
        tokens: in block order.
        views: the first ones are used; fewer than given only if the number of tokens is limited.
        dense_features: of the dense stage, at these tokens.
    """

    tokens: SparseTokens
    views: int
    dense_features: DenseFeatures


@dataclass(frozen=True)
class SparseStageInputs:
    """What the sparse stage reads besides the views.

    Attributes:
        selection: from `select_tokens`.
        plan: from `route_tokens`.
        coarse: the field of the dense stage, which the sparse volume refines near the surface.
    """

    selection: Selection
    plan: Plan
    coarse: VolumeField[DenseVolume]


@torch.no_grad()
def predict_dense(
    stage: Stage,
    views: ViewTensors,
    features: ImageFeatures | None = None,
    report: Callable[[float], None] = ignore_progress,
) -> DensePrediction:
    """The dense stage: all tokens of the downsampled views and of the volume, eqs. (3)-(9).

    Args:
        stage: the dense one; device and dtype are its own.
        views: at the image size of the sparse stage or larger.
        features: the frozen image features, where the configuration has them.
        report: called with the fraction done, between views and blocks.
    """
    config = stage.config
    small, like = views.downsampled(config.image_size), stage.encoder.patches.weight
    inputs = encoder_inputs(config, small, features, like, report=report)
    found = run_dense(stage, inputs, report_after_features(config, report))
    volume = DenseVolume(found.volume[0].float(), config.decoder.half_side)
    return DensePrediction(
        VolumeField(volume, stage.decoder.float(), config.inverse_std),
        tuple(feature[0] for feature in found.image_features),
        found.volume_feature[0],
    )


@torch.no_grad()
def select_tokens(
    prediction: DensePrediction,
    views: ViewTensors,
    config: ModelConfig,
    report: Callable[[float], None] = ignore_progress,
    adapt: Callable[[Tensor, Tensor], Tensor] | None = None,
) -> Selection:
    """Informative tokens: patches on the object, volume tokens at the coarse surface, eq. (13).

    Args:
        prediction: of the dense stage.
        views: at the image size of the sparse stage.
        config: of the model.
        report: called with the fraction done.
        adapt: given the volume tokens [1, n, n, n] bool and the opacity [1, N, N, N] at samples of
            them, which ones are kept after all.

    Raises:
        EmptyMask: if no view shows the object.
    """
    sparse, limits = config.sparse, config.selection
    kept = foreground_patches(views.mask[None], sparse.encoder.patch_size)
    if not kept.any():
        raise EmptyMask("No view shows the object.", "Check the masks.")
    used = views_within(kept, limits.max_image_tokens)
    resolution = sparse.transformer.volume_resolution
    device = prediction.volume_feature.device
    samples = SAMPLES_PER_TOKEN * resolution
    planes = []
    for _, plane in distances_by_plane(prediction.field, config.half_side, samples, device):
        planes.append(plane)
        report(len(planes) / samples)
    distance = torch.stack(planes)
    # QUIRK 4 (docs/deviations.md): this step is measured by the radius of the object, not by the
    # half side of the cube.
    step = render_step(config.radius, config.dense.samples_per_ray)
    alpha = step_alpha(distance, prediction.field.inverse_std, step)
    cube = (1, samples, samples, samples)
    distance, alpha = distance.view(cube), alpha.view(cube)
    near = surface_tokens(distance, alpha, resolution)
    near = grow_tokens(near, alpha, limits.volume_dilation)
    if adapt is not None:
        near = adapt(near, alpha)
    tokens = SparseTokens(
        image_tokens(kept[:, :used], limits.block_size).to(device),
        volume_tokens(near, limits.block_size),
        instances=1,
    )
    return Selection(tokens, used, _dense_features(prediction, tokens, len(views.mask), config))


@torch.no_grad()
def route_tokens(
    prediction: DensePrediction,
    selection: Selection,
    views: ViewTensors,
    config: ModelConfig,
    report: Callable[[float], None] = ignore_progress,
) -> Plan:
    """The routing plan: where the views see the coarse surface, and which blocks tokens attend to.

    Args:
        prediction: of the dense stage.
        selection: the tokens.
        views: at the image size of the sparse stage.
        config: of the model.
        report: called with the fraction done, between chunks of rays.
    """
    if not config.routing.geometric:
        return plan_by_score(selection.tokens, config)
    maps = surface_maps(prediction, views, selection.tokens, config, report)
    cameras = release_cameras(views, maps.points)
    return plan_by_geometry(selection.tokens, maps, (cameras,), config)


def release_cameras(views: ViewTensors, like: Tensor) -> Cameras:
    """The cameras of some views, on the device and in the type of a tensor."""
    return Cameras(*(t.to(like) for t in (views.cameras, views.windows, views.frame_sizes)))


@torch.no_grad()
def predict_sparse(
    stage: Stage,
    views: ViewTensors,
    inputs: SparseStageInputs,
    features: ImageFeatures | None = None,
    report: Callable[[float], None] = ignore_progress,
) -> TwoLevelField:
    """The sparse stage, eqs. (14) and (15): its volume near the surface, the coarse one elsewhere.

    Args:
        stage: the sparse one.
        views: at the image size of the sparse stage.
        inputs: tokens, plan and coarse field.
        features: the frozen image features, where the configuration has them.
        report: called with the fraction done, between views and blocks.
    """
    config, selection = stage.config, inputs.selection
    like = stage.encoder.patches.weight
    read = encoder_inputs(config, views, features, like, selection.views, report)
    batch = SparseBatch(read, selection.tokens, inputs.plan, selection.dense_features)
    found = run_sparse(stage, batch, report=report_after_features(config, report))
    return refined_field(inputs.coarse, found, stage.decoder, config)


def refined_field(
    coarse: VolumeField[DenseVolume], found: SparseResult, decoder: MlpDecoder, config: StageConfig
) -> TwoLevelField:
    """The coarse field with the sparse stage's prediction for one object, and its decoder."""
    rows, bricks = found.of(0)
    volume = SparseVolume(rows.float(), bricks, coarse.volume)
    return TwoLevelField(coarse, VolumeField(volume, decoder.float(), config.inverse_std))


def surface_maps(
    prediction: DensePrediction,
    views: ViewTensors,
    tokens: SparseTokens,
    config: ModelConfig,
    report: Callable[[float], None] = ignore_progress,
) -> SurfaceMaps:
    """Surface points and opacity of the coarse field at the pixels of the kept image blocks.

    Pixels of other blocks are never read; they stay transparent, at the origin.
    """
    size, device = config.surface_map_size, prediction.volume_feature.device
    wanted = _pixels_of_blocks(tokens.image, len(views.mask), config)
    small = views.downsampled(config.dense.image_size)
    origins, directions = (rays.to(device)[wanted] for rays in small.surface_rays(size))
    step = render_step(config.half_side, config.dense.samples_per_ray)
    sampler = RaySampler(config.half_side, step)
    points = origins.new_zeros(*wanted.shape, 3)
    opacity = origins.new_zeros(wanted.shape)
    found = []
    for first in range(0, len(origins), RAYS_PER_CHUNK):
        report(first / len(origins))
        rays = slice(first, first + RAYS_PER_CHUNK)
        light = absorb(prediction.field, origins[rays], directions[rays], sampler)
        found.append(torch.cat([light.surface_points(), light.opacity[:, None]], 1))
    seen = torch.cat(found)
    points[wanted], opacity[wanted] = seen[:, :3], seen[:, 3]
    return SurfaceMaps(points[None], opacity[None])


def _pixels_of_blocks(index: Tensor, views: int, config: ModelConfig) -> Tensor:
    """Which pixels of the surface maps lie in blocks with tokens, [views, size, size] bool."""
    side = config.sparse.patches_per_side // config.selection.block_size
    kept = torch.zeros(views, side, side, dtype=torch.bool, device=index.device)
    kept[index[:, 1], *(index[:, 2:] // config.selection.block_size).unbind(1)] = True
    pixels = config.surface_map_size // side
    return kept.repeat_interleave(pixels, 1).repeat_interleave(pixels, 2)


def encoder_inputs(
    config: StageConfig,
    views: ViewTensors,
    features: ImageFeatures | None,
    like: Tensor,
    used: int | None = None,
    report: Callable[[float], None] = ignore_progress,
) -> EncoderInputs:
    """The views as a stage's encoder reads them.

    Args:
        config: of the stage.
        views: at its image size.
        features: the frozen image features, where the configuration has them.
        like: any tensor of the device and dtype that is wanted.
        used: how many views, the first ones; all if it is None.
        report: called with the fraction of the stage that is done, before each view.
    """
    encoder = config.encoder
    rays = views.plucker() if encoder.rays == "plucker" else views.uv.movedim(-1, 1)
    extracted = None
    if features is not None and encoder.feature_width:
        found = []
        for number, image in enumerate(views.rgb[:used]):
            report(IMAGE_FEATURES_SHARE * number / len(views.rgb[:used]))
            found.append(features(image[None].to(like.device), config))
        extracted = torch.cat(found).flatten(0, 1)[None].to(like.dtype)
    images, rays, background = (
        tensor[None, :used].to(like) for tensor in (views.rgb, rays, views.background)
    )
    return EncoderInputs(images, rays, background if encoder.background else None, extracted)


def report_after_features(
    config: StageConfig, report: Callable[[float], None]
) -> Callable[[float], None]:
    """A callback for the transformer, whose work follows that on the image features."""
    if not config.encoder.feature_width:
        return report
    return lambda done: report(IMAGE_FEATURES_SHARE + (1.0 - IMAGE_FEATURES_SHARE) * done)


def _dense_features(
    prediction: DensePrediction, tokens: SparseTokens, views: int, config: ModelConfig
) -> DenseFeatures:
    """Features of the dense stage at the kept tokens, from the nearest token of that stage."""
    side, resolution = config.sparse.patches_per_side, config.sparse.transformer.volume_resolution
    maps = [
        upsample_image_feature(feature[None], tokens.image, views, side)
        for feature in prediction.image_features
    ]
    volume = upsample_volume_feature(prediction.volume_feature[None], tokens.volume, resolution)
    return DenseFeatures(volume, torch.cat(maps, -1))
