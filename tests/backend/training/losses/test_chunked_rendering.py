# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gradients pushed in chunks are those of all rays at once, and those of finite differences."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from backend.field.config import HALF_SIDE, DecoderConfig
from backend.field.decoders import MlpDecoder
from backend.field.density import render_step
from backend.field.field import TwoLevelField, VolumeField
from backend.field.ray_sampling import RaySampler
from backend.field.volumes import DenseVolume, SparseVolume
from backend.training.losses.chunked_rendering import Rays, Renderer
from backend.training.losses.image_losses import ImageLosses, Truth
from backend.training.settings.config import LossWeights
from kernels.core.sparse_grid import Bricks

VIEWS, SIDE = 2, 5
DECODER = DecoderConfig(4, 8, 1, 1, 1, "rgb", HALF_SIDE)


def scene(kind: str):
    """A field of random features whose decoder has learned nothing, in float64, and its leaves."""
    torch.manual_seed(0)
    decoders = [MlpDecoder(DECODER).double() for _ in range(2)]
    for each in decoders:
        for matrix in each.parameters():
            torch.nn.init.normal_(matrix, std=0.5)
    dense = torch.randn(4, 4, 4, 4, dtype=torch.float64)
    if kind == "dense":
        dense.requires_grad_()
        field = VolumeField(DenseVolume(dense, HALF_SIDE), decoders[0], 30.0)
        return field, [dense, *decoders[0].parameters()]
    decoders[0].requires_grad_(requires_grad=False)
    coarse = VolumeField(DenseVolume(dense, HALF_SIDE), decoders[0], 25.0)
    numbers = torch.full((4, 4, 4), -1, dtype=torch.int32)
    numbers[1:3, :3, 1:] = torch.arange(18, dtype=torch.int32).view(2, 3, 3)
    rows = torch.randn(18 * 8, 4, dtype=torch.float64, requires_grad=True)
    volume = SparseVolume(rows, Bricks(numbers, 2), coarse.volume)
    field = TwoLevelField(coarse, VolumeField(volume, decoders[1], 40.0))
    return field, [rows, *decoders[1].parameters()]


def rays() -> Rays:
    """Two views of 5 x 5 pixels, some of which see nothing."""
    line = torch.linspace(-0.6, 0.6, SIDE, dtype=torch.float64)
    y, x = torch.meshgrid(line, line, indexing="ij")
    flat = torch.stack([x, y, torch.full_like(x, 1.5)], -1).view(-1, 3)
    down = torch.tensor([0.05, -0.1, -1.0], dtype=torch.float64)
    down = (down / down.norm()).expand_as(flat)
    front = Rays(flat, down, torch.tensor([0.0, 0.0, -1.0]).double().expand_as(flat))
    turned = Rays(*(each[:, [2, 0, 1]] for each in vars(front).values()))
    return Rays.joined([front, turned])


def renderer(chunk: int, normal_width: float | None = None) -> Renderer:
    return Renderer(RaySampler(HALF_SIDE, render_step(HALF_SIDE, 20)), chunk, normal_width)


def truth() -> Truth:
    generator = torch.Generator().manual_seed(1)
    like = torch.zeros(VIEWS, 1, SIDE, SIDE, dtype=torch.float64)

    def noise(channels):
        size = (VIEWS, channels, SIDE, SIDE)
        return torch.rand(size, generator=generator, dtype=torch.float64)

    return Truth(noise(3), noise(1), 1 + noise(1), noise(3) - 0.5, like + 1)


LOSSES = ImageLosses(LossWeights(), "rgb")


def pushed(kind: str, chunk: int, normal_width: float | None) -> list[torch.Tensor]:
    """The gradients of the leaves, in chunks of so many rays."""
    field, leaves = scene(kind)
    how = renderer(chunk, normal_width)
    _, gradient = LOSSES.gradient(how.render(field, rays()), truth())
    how.push_gradient(field, rays(), gradient)
    return [leaf.grad for leaf in leaves]


def loss_of(field, normal_width: float | None) -> torch.Tensor:
    """The loss of the views, with a graph."""
    found = renderer(1000, normal_width)._render(field, rays())
    return torch.stack([*LOSSES.terms(found, truth()).values()]).sum()


@pytest.mark.parametrize("normal_width", [None, 0.08])
@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_chunks_give_the_gradient_of_the_whole(kind, normal_width):
    """Whatever their size; the last one is shorter."""
    field, leaves = scene(kind)
    loss_of(field, normal_width).backward()
    for chunk in (7, 50):
        for mine, leaf in zip(pushed(kind, chunk, normal_width), leaves, strict=True):
            torch.testing.assert_close(mine, leaf.grad, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_gradients_are_those_of_finite_differences(kind):
    """Of features and matrices, in float64."""
    grads, (field, leaves) = pushed(kind, 13, 0.08), scene(kind)
    generator = torch.Generator().manual_seed(2)
    for leaf, grad in zip(leaves, grads, strict=True):
        direction = torch.randn(leaf.shape, generator=generator, dtype=torch.float64)
        sides = []
        with torch.no_grad():
            for step in (1e-6, -1e-6):
                leaf.add_(direction, alpha=step)
                sides.append(float(loss_of(field, 0.08)))
                leaf.sub_(direction, alpha=step)
        slope = (sides[0] - sides[1]) / 2e-6
        assert slope == pytest.approx(float((grad * direction).sum()), rel=1e-5, abs=1e-8)


def test_rays_beside_the_box_have_no_samples():
    """They are white, and push nothing."""
    field, leaves = scene("dense")
    beside = rays()
    beside = replace(beside, origins=beside.origins + 10)
    found = renderer(9).render(field, beside)
    assert bool((found.appearance == 1).all())
    assert float(found.opacity.abs().sum() + found.depth.abs().sum()) == 0
    renderer(9).push_gradient(field, beside, [torch.ones_like(each) for each in found.tensors])
    assert all(leaf.grad is None or not leaf.grad.any() for leaf in leaves)


def test_what_is_rendered_is_what_a_job_renders():
    """The composited colors and the opacity of `absorb`, of which previews are made."""
    from backend.field.renderer import absorb

    field, _ = scene("sparse")
    found = renderer(1000).render(field, rays())
    with torch.no_grad():
        light = absorb(field, rays().origins, rays().directions, renderer(1).sampler)
        colors = light.over_white(field.appearance(light.samples.points))
    torch.testing.assert_close(found.appearance, colors)
    torch.testing.assert_close(found.opacity, light.opacity)
