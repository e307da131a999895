# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a sample to what a step needs of it: the network's views, and target views with rays."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ...model.preprocess import ViewTensors, from_views
from ...shared.cameras import Intrinsics, Normalization, pixel_rays
from ...shared.srgb import linear_to_srgb
from ...views.selection import evenly
from ...views.views import View
from ..losses.chunked_rendering import Rays
from ..losses.image_losses import Truth
from .augmentation import choose_corner, vary_exposure
from .view_choice import choose_views, split_views

if TYPE_CHECKING:
    from ...model.config.model_config import ModelConfig
    from ...shared.cameras import Floats
    from ..datasets.sample import Sample
    from ..settings.config import ViewConfig

NORMALIZED = Normalization((0.0, 0.0, 0.0), 1.0)
"""Samples lie in the sphere of the model already."""


@dataclass(frozen=True)
class TrainingObject:
    """One object of a step.

    Attributes:
        views: what the network sees.
        rays: of the target views, view after view, row after row.
        truth: what they show.
        points: [inputs, 3, size, size], where the pixels of the views of the dense stage lie, model
            frame; None if the sample has no depth.
        point_mask: [inputs, 1, size, size], where these are known.
        seed: of what is drawn for it later.
    """

    views: ViewTensors
    rays: Rays
    truth: Truth
    points: Tensor | None
    point_mask: Tensor | None
    seed: int


def prepare(
    sample: Sample, model: ModelConfig, config: ViewConfig, inputs: int, generator: torch.Generator
) -> TrainingObject:
    """Choose the views of a sample and bring them into the form of a step, but for held-out ones.

    Args:
        sample: on the CPU.
        model: sizes of the network.
        config: of the views.
        inputs: how many of them the network sees.
        generator: of what is random.
    """
    trained, _ = split_views(len(sample), config.held_out)
    sample = sample.choose(trained)
    positions = sample.camera_to_world[:, :3, 3]
    chosen = choose_views(positions, config, inputs, generator)
    return _of_views(sample, chosen, model, config, generator)


def prepare_held_out(
    sample: Sample, model: ModelConfig, config: ViewConfig, generator: torch.Generator
) -> TrainingObject:
    """The held-out views of a sample, whole and as large as targets are, with the most inputs.

    Args:
        sample: on the CPU, with more views than one.
        model: sizes of the network.
        config: of the views, at least one of them held out.
        generator: of what is random.
    """
    trained, held_out = split_views(len(sample), config.held_out)
    inputs = evenly(len(trained), min(config.inputs[1], len(trained)))
    size = config.sizes[1]
    whole = replace(config, sizes=(size, size), crop=size)
    chosen = [trained[number] for number in inputs], held_out
    return _of_views(sample, chosen, model, whole, generator)


def _of_views(
    sample: Sample,
    chosen: tuple[list[int], list[int]],
    model: ModelConfig,
    config: ViewConfig,
    generator: torch.Generator,
) -> TrainingObject:
    """A sample with these inputs and targets."""
    seen, judged = chosen
    if config.exposure:
        sample = replace(sample, images=vary_exposure(sample, generator))
    views = input_views(sample.choose(seen), model)
    rotation = torch.from_numpy(views.frame.rotation).float()
    parts = [_target(sample.choose([view]), rotation, config, generator) for view in judged]
    rays, truth = Rays.joined([r for r, _ in parts]), _joined([truth for _, truth in parts])
    small = views.downsampled(model.dense.image_size)
    points, point_mask = _input_points(sample.choose(seen), small)
    seed = int(torch.randint(2**31, (), generator=generator))
    return TrainingObject(views, rays, truth, points, point_mask, seed)


def input_views(sample: Sample, model: ModelConfig) -> ViewTensors:
    """All views of a sample as the network reads them, by the same path as those of a job."""
    images = sample.images.permute(0, 2, 3, 1).numpy()
    masks = sample.masks.numpy()
    if not masks.any():  # the network cannot read an object without a token
        masks = masks.copy()
        masks[0, masks.shape[1] // 2, masks.shape[2] // 2] = 1.0
    views = [
        View(str(number), images[number], masks[number], lens, pose)
        for number, (lens, pose) in enumerate(zip(_lenses(sample), _poses(sample), strict=True))
    ]
    return from_views(views, NORMALIZED, model)


def _lenses(sample: Sample) -> list[Intrinsics]:
    height, width = sample.masks.shape[1:]
    return [Intrinsics(width, height, *each) for each in sample.intrinsics.tolist()]


def _poses(sample: Sample) -> list[Floats]:
    return list(sample.camera_to_world.double().numpy())


def _target(
    sample: Sample, rotation: Tensor, config: ViewConfig, generator: torch.Generator
) -> tuple[Rays, Truth]:
    """A part of a single view, at a random size: its rays and what they show.

    Args:
        sample: with this view alone.
        rotation: [3, 3], x_normalized = rotation @ x_model.
        config: sizes.
        generator: of what is random.
    """
    smallest, largest = config.sizes
    side = int(torch.randint(smallest, largest + 1, (), generator=generator))
    truth = _truth(sample, rotation, side)
    row, column = choose_corner(truth.mask[0, 0], config.crop, generator)
    rows, columns = slice(row, row + config.crop), slice(column, column + config.crop)
    lens = _lenses(sample)[0].scaled(side, side).cropped(column, row, config.crop, config.crop)
    rays = view_rays(lens, _poses(sample)[0], rotation)
    cut: list[Any] = [t if t is None else t[:, :, rows, columns] for t in vars(truth).values()]
    return rays, Truth(*cut)


def view_rays(lens: Intrinsics, camera_to_world: Floats, rotation: Tensor) -> Rays:
    """The rays through all pixels of a view, row after row, in the model frame.

    Args:
        lens: of the view.
        camera_to_world: [4, 4], normalized frame.
        rotation: [3, 3], x_normalized = rotation @ x_model.
    """
    origin, directions = pixel_rays(lens, camera_to_world)
    turned = torch.from_numpy(directions.reshape(-1, 3)).float() @ rotation
    start = torch.from_numpy(origin).float() @ rotation
    forward = torch.from_numpy(-camera_to_world[:3, 2]).float() @ rotation
    unit = F.normalize(turned, dim=1)
    return Rays(start.expand_as(unit), unit, forward.expand_as(unit))


def _truth(sample: Sample, rotation: Tensor, side: int) -> Truth:
    """What a single view shows, [1, channels, side, side] each."""
    mask = sample.masks[:, None]
    small_mask = F.adaptive_avg_pool2d(mask, side)
    rgb = F.adaptive_avg_pool2d(sample.images * mask + 1 - mask, side)
    depth = None if sample.depth is None else _nearest(sample.depth[:, None], side)
    normals = normal_mask = base_color = material = None
    if sample.normals is not None:
        turned = torch.einsum("nchw,cd->ndhw", sample.normals, rotation)
        normals, normal_mask = _normals(_nearest(turned, side), small_mask, sample, rotation)
    if sample.base_color is not None:
        shown = torch.from_numpy(linear_to_srgb(sample.base_color.numpy())).float()
        base_color = F.adaptive_avg_pool2d(shown * mask + 1 - mask, side)
    if sample.roughness is not None and sample.metallic is not None:
        both = torch.stack([sample.roughness, sample.metallic], 1)
        material = F.adaptive_avg_pool2d(both * mask + 1 - mask, side)
    return Truth(rgb, small_mask, depth, normals, normal_mask, base_color, material)


def _normals(
    normals: Tensor, mask: Tensor, sample: Sample, rotation: Tensor
) -> tuple[Tensor, Tensor]:
    """Normals of a view, and where they count: facing the camera, inside the outline."""
    side = normals.shape[-1]
    lens = _lenses(sample)[0].scaled(side, side)
    directions = view_rays(lens, _poses(sample)[0], rotation).directions
    facing = (normals[0] * directions.T.view(3, side, side)).sum(0, keepdim=True)[None] < 0
    whole = (facing & (mask > 1 - 1e-4)).float()
    return normals, -F.max_pool2d(-whole, 3, stride=1, padding=1)


def _nearest(images: Tensor, side: int) -> Tensor:
    """Images of values that must not be mixed across outlines, at another size."""
    return F.interpolate(images, (side, side), mode="nearest-exact")


def _joined(parts: list[Truth]) -> Truth:
    columns = zip(*(vars(part).values() for part in parts), strict=True)
    joined: list[Any] = [None if each[0] is None else torch.cat(each) for each in columns]
    return Truth(*joined)


def _input_points(sample: Sample, views: ViewTensors) -> tuple[Tensor | None, Tensor | None]:
    """Where the pixels of the input views lie, and where that is known."""
    if sample.depth is None:
        return None, None
    depth = F.grid_sample(sample.depth[:, None], views.uv, mode="nearest", align_corners=False)
    forward = -views.cameras[:, :16].view(-1, 4, 4)[:, None, None, :3, 2]
    along = depth[:, 0, :, :, None] / (views.ray_directions * forward).sum(-1, keepdim=True)
    points = views.ray_origins + along * views.ray_directions
    known = (depth > 0) & (views.mask > 0.5)
    return points.permute(0, 3, 1, 2), known.to(points)
