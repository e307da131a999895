# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""One sample of a data set: posed views of an object, and what is known to be true of them.

A data set is a `torch.utils.data.Dataset[Sample]` with a length. Its sample `i` depends on nothing
but `i` and what the data set was made with, its seed included: the same tensors in any order, in
any process.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import torch

from ...shared.cameras import ROTATION_TOLERANCE
from ...shared.errors import BadDataset

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

REMEDY = "Make the sample again, or remove it from the data set."


@dataclass(frozen=True)
class Sample:
    """Views of one object that lies in the sphere of radius 0.5 around the origin.

    All tensors are float32, of one device. Cameras have OpenGL axes. Targets are None where they
    are not known; they are zero where the center of a pixel shows no object.

    Attributes:
        name: of the object.
        images: [views, 3, height, width], sRGB in 0..1. Where a mask is partial, the color is that
            of the object, not mixed with what is behind, as far as the source has it so; where the
            mask is 0, it is what is behind, white if that is not known.
        masks: [views, height, width], coverage in 0..1.
        camera_to_world: [views, 4, 4].
        intrinsics: [views, 4], fx, fy, cx, cy in pixels, corner convention.
        depth: [views, height, width], of the center of each pixel, along the optical axis and not
            along the ray, as `pixel_rays` has it.
        normals: [views, 3, height, width], unit, in the world.
        base_color: [views, 3, height, width], linear, in 0..1.
        roughness: [views, height, width], perceptual, in 0..1.
        metallic: [views, height, width], in 0..1.
    """

    name: str
    images: Tensor
    masks: Tensor
    camera_to_world: Tensor
    intrinsics: Tensor
    depth: Tensor | None = None
    normals: Tensor | None = None
    base_color: Tensor | None = None
    roughness: Tensor | None = None
    metallic: Tensor | None = None

    def __len__(self) -> int:
        """The number of views."""
        return len(self.images)

    def tensors(self) -> dict[str, Tensor]:
        """The tensors that the sample has, by the names of its attributes."""
        return dict(self._tensors())

    def choose(self, views: Tensor | list[int]) -> Sample:
        """Some of the views, in the given order."""
        chosen: dict[str, Any] = {name: tensor[views] for name, tensor in self._tensors()}
        return replace(self, **chosen)

    def to(self, device: torch.device | str) -> Sample:
        """The sample on another device."""
        moved: dict[str, Any] = {name: tensor.to(device) for name, tensor in self._tensors()}
        return replace(self, **moved)

    def check(self) -> Sample:
        """The sample itself, if nothing of it is damaged.

        Raises:
            BadDataset: if it has no view, tensors of shapes that do not fit, numbers that are not
                finite, masks without an object, or a pose that no camera has.
        """
        self._check_shapes()
        for name, tensor in self._tensors():
            if not bool(torch.isfinite(tensor).all()):
                self._refuse(f"{name} has numbers that are not finite")
        if not bool((self.masks >= 0.5).any()):
            self._refuse("no mask shows an object")
        rotation = self.camera_to_world[:, :3, :3].double()
        turned = rotation.transpose(1, 2) @ rotation - torch.eye(3).to(rotation)
        if float(turned.abs().max()) > ROTATION_TOLERANCE or bool((rotation.det() <= 0).any()):
            self._refuse("a pose is no rotation and translation")
        if not bool((self.intrinsics[:, :2] > 0).all()):
            self._refuse("a focal length is not above zero")
        return self

    def _tensors(self) -> Iterator[tuple[str, Tensor]]:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, torch.Tensor):
                yield field.name, value

    def _check_shapes(self) -> None:
        views, _, height, width = self.images.shape if self.images.ndim == 4 else (0, 0, 0, 0)
        if views * height * width == 0:
            self._refuse(f"its images have the shape {tuple(self.images.shape)}")
        frame = (height, width)
        expected = {
            "images": (3, *frame),
            "camera_to_world": (4, 4),
            "intrinsics": (4,),
            "normals": (3, *frame),
            "base_color": (3, *frame),
        }
        for name, tensor in self._tensors():
            shape = (views, *expected.get(name, frame))
            if tuple(tensor.shape) != shape:
                self._refuse(f"{name} has the shape {tuple(tensor.shape)} instead of {shape}")

    def _refuse(self, reason: str) -> None:
        raise BadDataset(f"The sample {self.name} is damaged: {reason}.", REMEDY)
