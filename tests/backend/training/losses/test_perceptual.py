# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The perceptual distance with made-up weights: the formula, and where weights are absent."""

from __future__ import annotations

import logging

import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from backend.shared.errors import CheckpointMismatch
from backend.training.losses.perceptual import PerceptualDistance, load_perceptual


@pytest.fixture(scope="module")
def images():
    """Two pairs of images in -1..1."""
    generator = torch.Generator().manual_seed(0)
    return [2 * torch.rand(2, 3, 16, 16, generator=generator) - 1 for _ in range(2)]


def test_the_formula_word_by_word(images):
    """Unit features, squared differences, weighed by channel, mean over pixels, sum of layers."""
    torch.manual_seed(0)
    network = PerceptualDistance([(4,), (5, 6)])
    one, other = ((each - network_mean()) / network_std() for each in images)
    wanted = 0.0
    for layer, names in ((0, ["0"]), (1, ["3", "5"])):
        if layer:
            one, other = F.max_pool2d(one, 2), F.max_pool2d(other, 2)
        for name in names:
            one, other = (F.relu(network.features[name](each)) for each in (one, other))
        units = [each / each.norm(dim=1, keepdim=True).clamp(min=1e-10) for each in (one, other)]
        weights = network.get_submodule(f"lin{layer}").model["1"].weight.view(1, -1, 1, 1)
        wanted += float(((units[0] - units[1]) ** 2 * weights).sum(1).mean())
    assert float(network(*images)) == pytest.approx(wanted, rel=1e-5)
    assert float(network(images[0], images[0])) == 0


def network_mean():
    return torch.tensor([-0.030, -0.088, -0.188]).view(1, 3, 1, 1)


def network_std():
    return torch.tensor([0.458, 0.448, 0.450]).view(1, 3, 1, 1)


def test_names_are_those_of_published_files():
    """Of VGG-16, and of the weights of the five layers."""
    with torch.device("meta"):
        names = set(PerceptualDistance().state_dict())
    assert {"features.0.weight", "features.28.bias", "lin4.model.1.weight"} <= names
    assert len(names) == 2 * 13 + 5


def test_without_weights_the_log_says_so(tmp_path, caplog):
    """Nobody wonders later what was trained."""
    with caplog.at_level(logging.WARNING):
        assert load_perceptual(str(tmp_path / "none"), torch.device("cpu")) is None
    assert "left out" in caplog.text


def test_a_file_with_other_tensors_is_refused(tmp_path):
    """The error lists them."""
    save_file({"features.0.weight": torch.zeros(64, 3, 3, 3)}, tmp_path / "vgg.safetensors")
    with pytest.raises(CheckpointMismatch, match="missing"):
        load_perceptual(str(tmp_path / "vgg.safetensors"), torch.device("cpu"))
