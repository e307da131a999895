# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network on one object, stage by stage as in the paper's Figure 2.

`predict_coarse`, `select_tokens`, `route_tokens`, `predict_fine`: each takes what the ones before
it gave, so that a caller may name and time them, and free stage 1's weights in between. Each
tells how much of it is done, in 0..1, and ends with what `tell` raises.
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
from .encoder import EncoderInputs
from .routing.release_cameras import Cameras
from .routing.routing import SurfaceMaps
from .routing.routing_tables import SparseTokens, plan_by_geometry, plan_by_score
from .routing.selection import (
    foreground_patches,
    grow_tokens,
    image_tokens,
    prior_image_feature,
    prior_volume_feature,
    surface_tokens,
    views_within,
    volume_tokens,
)
from .stage import run_dense, run_sparse
from .stage_fusion import PriorFeatures
from .transformer import unheard

if TYPE_CHECKING:
    from collections.abc import Callable

    from .config.model_config import ModelConfig, StageConfig
    from .preprocess import ViewTensors
    from .routing.routes import Plan
    from .stage import Stage

    # Images [views, 3, size, size] in -1..1 to features [views, patches, channels].
    ImageFeatures = Callable[[Tensor, StageConfig], Tensor]

RAYS_AT_ONCE = 8192
SHARE_OF_FEATURES = 0.5  # of a stage's work: the network of the image features is as large
SAMPLES_PER_TOKEN = 4  # per side, where the coarse field is asked whether a token is kept


@dataclass(frozen=True)
class Coarse:
    """What stage 1 knows of the object."""

    field: VolumeField[DenseVolume]
    image_features: tuple[Tensor, ...]  # [image tokens, width] each
    volume_feature: Tensor  # [volume tokens, width]


@dataclass(frozen=True)
class Selection:
    """What stage 2 works on."""

    tokens: SparseTokens
    views: int  # the first ones; fewer than given only if the tokens are capped
    prior: PriorFeatures  # stage-1 features of the tokens


@torch.no_grad()
def predict_coarse(
    stage: Stage,
    views: ViewTensors,
    features: ImageFeatures | None = None,
    tell: Callable[[float], None] = unheard,
) -> Coarse:
    """The dense stage: all tokens of the views, made small, and of the volume (eqs. (3)-(9)).

    Args:
        stage: with the weights of stage 1; device and dtype are its own.
        views: at the image size of stage 2 or larger.
        features: the frozen image features, where the configuration has them.
        tell: hears how much is done, between views and blocks.
    """
    config = stage.config
    inputs = _inputs(stage, views.downsampled(config.image_size), features, tell=tell)
    found = run_dense(stage, inputs, _after_features(stage, tell))
    volume = DenseVolume(found.volume[0].float(), config.decoder.half_side)
    return Coarse(
        VolumeField(volume, stage.decoder.float(), config.inverse_std),
        tuple(feature[0] for feature in found.image_features),
        found.volume_feature[0],
    )


@torch.no_grad()
def select_tokens(
    coarse: Coarse,
    views: ViewTensors,
    config: ModelConfig,
    tell: Callable[[float], None] = unheard,
) -> Selection:
    """Informative tokens: patches on the object, voxels at the coarse surface (eq. (13)).

    Raises:
        EmptyMask: if no view shows the object.
    """
    sparse, choice = config.sparse, config.selection
    kept = foreground_patches(views.mask[None], sparse.encoder.patch_size)
    if not kept.any():
        raise EmptyMask("No view shows the object.", "Check the masks.")
    shown = views_within(kept, choice.max_image_tokens)
    resolution = sparse.transformer.volume_resolution
    device = coarse.volume_feature.device
    samples = SAMPLES_PER_TOKEN * resolution
    planes = []
    for _, plane in distances_by_plane(coarse.field, config.half_side, samples, device):
        planes.append(plane)
        tell(len(planes) / samples)
    distance = torch.stack(planes)
    # QUIRK 4 (docs/deviations.md): this step is measured by the radius of the object, not by the
    # half side of the cube.
    step = render_step(config.radius, config.dense.samples_per_ray)
    alpha = step_alpha(distance, coarse.field.inverse_std, step)
    cube = (1, samples, samples, samples)
    distance, alpha = distance.view(cube), alpha.view(cube)
    near = surface_tokens(distance, alpha, resolution)
    near = grow_tokens(near, alpha, choice.volume_dilation)
    tokens = SparseTokens(
        image_tokens(kept[:, :shown], choice.block_size).to(device),
        volume_tokens(near, choice.block_size),
        instances=1,
    )
    return Selection(tokens, shown, _prior(coarse, tokens, len(views.mask), config))


@torch.no_grad()
def route_tokens(
    coarse: Coarse,
    selection: Selection,
    views: ViewTensors,
    config: ModelConfig,
    tell: Callable[[float], None] = unheard,
) -> Plan:
    """The routing plan: where the views see the coarse surface, and who looks at which block."""
    if not config.routing.geometric:
        return plan_by_score(selection.tokens, config)
    maps = surface_maps(coarse, views, selection.tokens, config, tell)
    cameras = Cameras(
        *(t.to(maps.points) for t in (views.cameras, views.windows, views.frame_sizes))
    )
    return plan_by_geometry(selection.tokens, maps, (cameras,), config)


@torch.no_grad()
def predict_fine(
    stage: Stage,
    views: ViewTensors,
    work: tuple[Selection, Plan],
    coarse: Coarse,
    features: ImageFeatures | None = None,
    tell: Callable[[float], None] = unheard,
) -> TwoLevelField:
    """The sparse stage (eqs. (14), (15)), and the field: fine near the surface, coarse elsewhere.

    Args:
        stage: with the weights of stage 2.
        views: at the image size of stage 2.
        work: what `select_tokens` and `route_tokens` gave.
        coarse: what stage 1 gave; only its field is read.
        features: the frozen image features, where the configuration has them.
        tell: hears how much is done, between views and blocks.
    """
    selection, plan = work
    config = stage.config
    inputs = _inputs(stage, views, features, selection.views, tell)
    after = _after_features(stage, tell)
    found = run_sparse(stage, inputs, selection.tokens, plan, selection.prior, after)
    rows, bricks = found.of(0)
    fine = SparseVolume(rows.float(), bricks, coarse.field.volume)
    return TwoLevelField(coarse.field, VolumeField(fine, stage.decoder.float(), config.inverse_std))


def surface_maps(
    coarse: Coarse,
    views: ViewTensors,
    tokens: SparseTokens,
    config: ModelConfig,
    tell: Callable[[float], None] = unheard,
) -> SurfaceMaps:
    """Where the pixels of the kept image blocks meet the coarse surface, and how surely.

    Nobody asks about the pixels of other blocks: they stay clear, at the origin.
    """
    size, device = config.surface_map_size, coarse.volume_feature.device
    wanted = _pixels_of_blocks(tokens.image, len(views.mask), config)
    small = views.downsampled(config.dense.image_size)
    origins, directions = (rays.to(device)[wanted] for rays in small.surface_rays(size))
    step = render_step(config.half_side, config.dense.samples_per_ray)
    sampler = RaySampler(config.half_side, step)
    points = origins.new_zeros(*wanted.shape, 3)
    opacity = origins.new_zeros(wanted.shape)
    found = []
    for first in range(0, len(origins), RAYS_AT_ONCE):
        tell(first / len(origins))
        rays = slice(first, first + RAYS_AT_ONCE)
        light = absorb(coarse.field, origins[rays], directions[rays], sampler)
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


def _inputs(
    stage: Stage,
    views: ViewTensors,
    features: ImageFeatures | None,
    shown: int | None = None,
    tell: Callable[[float], None] = unheard,
) -> EncoderInputs:
    """The views as a stage's encoder reads them, on its device and in its dtype."""
    weight = stage.encoder.patches.weight
    encoder = stage.config.encoder
    rays = views.plucker() if encoder.rays == "plucker" else views.uv.movedim(-1, 1)
    extracted = None
    if features is not None and encoder.feature_width:
        found = []
        for number, image in enumerate(views.rgb[:shown]):
            tell(SHARE_OF_FEATURES * number / len(views.rgb[:shown]))
            found.append(features(image[None].to(weight.device), stage.config))
        extracted = torch.cat(found).flatten(0, 1)[None].to(weight.dtype)
    images, rays, background = (
        tensor[None, :shown].to(weight) for tensor in (views.rgb, rays, views.background)
    )
    return EncoderInputs(images, rays, background if encoder.background else None, extracted)


def _after_features(stage: Stage, tell: Callable[[float], None]) -> Callable[[float], None]:
    """Whom the transformer tells, as its work begins where that on image features ended."""
    if not stage.config.encoder.feature_width:
        return tell
    return lambda done: tell(SHARE_OF_FEATURES + (1.0 - SHARE_OF_FEATURES) * done)


def _prior(coarse: Coarse, tokens: SparseTokens, views: int, config: ModelConfig) -> PriorFeatures:
    """Stage-1 features of the kept tokens: the nearest old token, normalized."""
    side, resolution = config.sparse.patches_per_side, config.sparse.transformer.volume_resolution
    maps = [
        prior_image_feature(feature[None], tokens.image, views, side)
        for feature in coarse.image_features
    ]
    volume = prior_volume_feature(coarse.volume_feature[None], tokens.volume, resolution)
    return PriorFeatures(volume, torch.cat(maps, -1))
