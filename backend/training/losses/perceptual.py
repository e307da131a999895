# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""LPIPS: how different two images look, by the features of a VGG-16 network.

Richard Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric",
arXiv 1801.03924. Its weights are not part of LSRM. They are read from one safetensors file: the
convolutions under the names that VGG-16 usually has, `features.N.weight` and `features.N.bias`,
and the weights of the channels of its five layers, `lin0.model.1.weight` to `lin4.model.1.weight`.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...model.weights.tensor_files import load_strictly, read_safetensors

if TYPE_CHECKING:
    from collections.abc import Sequence

LOGGER = logging.getLogger(__name__)

# Convolutions of the five layers of VGG-16; each layer but the first begins with a pooling.
_CONVOLUTIONS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
# Of images in -1..1, as the weights were fitted with.
_MEAN = (-0.030, -0.088, -0.188)
_STD = (0.458, 0.448, 0.450)


class PerceptualDistance(nn.Module):
    """The distance of images, 0 for equal ones; frozen, differentiable in the images."""

    def __init__(self, layers: Sequence[Sequence[int]] = _CONVOLUTIONS) -> None:
        super().__init__()
        self.features = nn.ModuleDict()
        self._layers: list[list[str]] = []
        inputs, number = 3, 0
        for widths in layers:
            self._layers.append([])
            for width in widths:
                self.features[str(number)] = nn.Conv2d(inputs, width, 3, padding=1)
                self._layers[-1].append(str(number))
                inputs, number = width, number + 2  # an activation has a number, too
            number += 1  # and so has a pooling
        for number, widths in enumerate(layers):
            self.add_module(f"lin{number}", _ChannelWeights(widths[-1]))
        self.requires_grad_(requires_grad=False)

    def forward(self, images: Tensor, others: Tensor) -> Tensor:
        """The mean distance of images [n, 3, height, width] in -1..1, a scalar."""
        mean, std = (images.new_tensor(each).view(1, 3, 1, 1) for each in (_MEAN, _STD))
        both = (torch.cat([images, others]) - mean) / std
        distance = images.new_zeros(())
        for number, names in enumerate(self._layers):
            if number:
                both = F.max_pool2d(both, 2)
            for name in names:
                both = F.relu(self.features[name](both))
            unit = F.normalize(both, dim=1, eps=1e-10)
            one, other = unit.chunk(2)
            weigh = self.get_submodule(f"lin{number}")
            distance = distance + weigh((one - other).square()).mean()
        return distance


class _ChannelWeights(nn.Module):
    """A weighted sum of channels, under the name that it has in published files."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.model = nn.ModuleDict({"1": nn.Conv2d(channels, 1, 1, bias=False)})

    def forward(self, features: Tensor) -> Tensor:
        """[n, channels, height, width] to [n, 1, height, width]."""
        weighed: Tensor = self.model["1"](features)
        return weighed


def load_perceptual(file: str, device: torch.device) -> PerceptualDistance | None:
    """The distance with the weights of a file; None, and a line in the log, without one.

    Raises:
        CheckpointMismatch: if the file holds other tensors.
    """
    path = Path(file)
    if not file or not path.is_file():
        LOGGER.warning("The perceptual loss is left out: there are no weights at %r.", file)
        return None
    with torch.device("meta"):
        distance = PerceptualDistance()
    tensors = {name: tensor.float().to(device) for name, tensor in read_safetensors([path])}
    load_strictly(distance, tensors, path, "Give a file with the weights of LPIPS for VGG-16.")
    return distance.eval().requires_grad_(requires_grad=False)
