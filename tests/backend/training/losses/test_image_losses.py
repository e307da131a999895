# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Losses of images: by hand for constant images, no gradient where there is no truth."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from backend.training.losses.chunked_rendering import Rendering
from backend.training.losses.image_losses import ImageLosses, Truth, brightened, usable_sum
from backend.training.losses.picture import color_decibels
from backend.training.settings.config import LossWeights

PIXELS = 2 * 4 * 4
MATERIALS = LossWeights(rgb=0, rgb_perceptual=0, base_color=1, roughness=1, metallic=1)


def rendering(value=0.75, opacity=1.0, depth=1.5, channels=3) -> Rendering:
    """Two views of 4 x 4 equal pixels."""
    return Rendering(
        torch.full((PIXELS, channels), value),
        torch.full((PIXELS,), opacity),
        torch.full((PIXELS,), depth),
        torch.tensor([0.0, 0.0, 1.0]).expand(PIXELS, 3),
    )


def truth(**changes) -> Truth:
    """What such views should show."""
    whole = torch.ones(2, 1, 4, 4)
    plain = Truth(
        0.5 * whole.expand(-1, 3, -1, -1),
        whole,
        whole,
        torch.tensor([0.0, 1.0, 0.0]).view(1, 3, 1, 1).expand(2, 3, 4, 4),
        whole,
    )
    return replace(plain, **changes)


def test_terms_by_hand():
    """Colors are in -1..1, so a difference of 1/4 counts 1/4; weights are those of the release."""
    terms = ImageLosses(LossWeights(), "rgb").terms(rendering(), truth())
    assert {name: round(float(term), 5) for name, term in terms.items()} == {
        "mask": 0.0,
        "rgb": 0.25,
        "depth": 2.5,
        "normal": 1.33333,  # two thirds, twice
    }


@pytest.mark.parametrize("hidden", ["opacity", "depth", "normal_mask"])
def test_surfaces_count_only_where_they_are_known(hidden):
    """A translucent pixel, or one without a true depth, has no surface to judge."""
    nothing = torch.zeros(2, 1, 4, 4)
    found = rendering(opacity=0.97 if hidden == "opacity" else 1.0)
    changes = {} if hidden == "opacity" else {hidden: nothing}
    terms = ImageLosses(LossWeights(), "rgb").terms(found, truth(**changes))
    for name, source in (("depth", "depth"), ("normal", "normal_mask")):
        assert (float(terms[name]) == 0) == (hidden in ("opacity", source))


def test_terms_without_weight_or_truth_are_left_out():
    """Nothing is computed for them."""
    losses = ImageLosses(LossWeights(rgb=0, normal=0), "rgb")
    assert set(losses.terms(rendering(), truth(depth=None))) == {"mask"}


def test_materials_by_hand():
    """Base color is scaled to the true brightness; the others are judged as they are, in -1..1."""
    base = 0.5 * torch.ones(2, 3, 4, 4)
    material = torch.stack([torch.full((2, 4, 4), 0.75), torch.full((2, 4, 4), 0.25)], 1)
    terms = ImageLosses(MATERIALS, "pbr").terms(
        rendering(channels=5), truth(base_color=base, material=material)
    )
    assert float(terms["base_color"]) == pytest.approx(0, abs=1e-12)
    assert float(terms["roughness"]) == 0
    assert float(terms["metallic"]) == 1


def test_brightening_has_limits():
    """A color that is far too dark is scaled by no more than 5."""
    dark, bright = torch.full((1, 3, 2, 2), 0.01), torch.full((1, 3, 2, 2), 0.5)
    mask = torch.ones(1, 1, 2, 2)
    assert float(brightened(dark, bright, mask).max()) == pytest.approx(0.05)
    assert float(brightened(dark, bright, 0 * mask).min()) == 1  # white beside the object


def test_the_gradient_is_that_of_the_sum():
    """For every tensor of the rendering, in its order."""
    losses, found = ImageLosses(LossWeights(), "rgb"), rendering()
    _, gradient = losses.gradient(found, truth())
    leaves = found.leaves()
    torch.stack([*losses.terms(leaves, truth()).values()]).sum().backward()
    for mine, leaf in zip(gradient, leaves.tensors, strict=True):
        assert torch.equal(mine, leaf.grad)


def test_a_loss_that_is_no_number_has_no_gradient():
    """It counts as 0."""
    found = rendering(value=torch.nan)
    terms, gradient = ImageLosses(LossWeights(), "rgb").gradient(found, truth())
    assert all(float(each.abs().sum()) == 0 for each in gradient)
    assert usable_sum(terms) == (0.0, False)


def test_decibels_of_colors():
    """An error of a tenth is 20 dB; base colors count where they are predicted and known."""
    off = replace(truth(), base_color=torch.full((2, 3, 4, 4), 0.74))
    assert color_decibels(rendering(0.6), truth(), "rgb") == pytest.approx([20, 20], abs=1e-4)
    assert color_decibels(rendering(0.75), off, "pbr") == pytest.approx([40, 40], abs=1e-2)
    assert color_decibels(rendering(), replace(off, base_color=None), "pbr") == []
    assert color_decibels(rendering(0.5), truth(), "both") == [100, 100]
