# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A mesh in a view: the camera in model space, and the nearest surface of every pixel."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

from ..shared.cameras import pinhole_projection
from .rasterizer import Fragments, gather_planes, rasterize

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..shared.cameras import Intrinsics
    from .triangle_mesh import TriangleMesh


@dataclass(frozen=True)
class Camera:
    """A pinhole camera as tensors.

    Attributes:
        intrinsics: pixels, corner convention.
        camera_to_world: float32 [4, 4], OpenGL axes, model space.
    """

    intrinsics: Intrinsics
    camera_to_world: torch.Tensor

    @classmethod
    def from_pose(
        cls,
        intrinsics: Intrinsics,
        camera_to_world: NDArray[np.float64],
        device: torch.device | None = None,
    ) -> Camera:
        """A camera at a pose [4, 4] given in float64, on a device; the CPU if it is None."""
        return cls(intrinsics, torch.from_numpy(camera_to_world).float().to(device))

    @property
    def position(self) -> torch.Tensor:
        """The center of projection, [3]."""
        return self.camera_to_world[:3, 3]

    def project(self, points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Pixels [n, 2] and depth along the axis [n] of points [n, 3]."""
        camera = (points - self.position) @ self.camera_to_world[:3, :3]
        depth = -camera[:, 2]
        safe = depth.clamp_min(1e-6)
        pixels = pinhole_projection(camera[:, 0], camera[:, 1], safe, self.intrinsics)
        return torch.stack(pixels).T, depth


def sample_image(image: torch.Tensor, pixels: torch.Tensor) -> torch.Tensor:
    """Bilinear values [n, channels] of an image [channels, height, width] at pixels [n, 2].

    Outside the frame the border repeats.
    """
    _, height, width = image.shape
    grid = torch.stack([pixels[:, 0] / width, pixels[:, 1] / height]) * 2 - 1
    sampled = F.grid_sample(
        image[None], grid.T[None, None], padding_mode="border", align_corners=False
    )
    return sampled[0, :, 0].T


@dataclass(frozen=True)
class RenderedGeometry:
    """The mesh as one camera sees it.

    Attributes:
        camera: where it is seen from.
        fragments: the nearest fragment of every covered pixel; its weights hold on the surface,
            perspective is accounted for.
        depth: along the optical axis, [height, width], infinite where there is no surface.
    """

    camera: Camera
    fragments: Fragments
    depth: torch.Tensor

    @cached_property
    def covered(self) -> torch.Tensor:
        """Where the mesh is seen, boolean [height, width]."""
        return self.depth.isfinite()


def render_geometry(mesh: TriangleMesh, camera: Camera) -> RenderedGeometry:
    """Find the nearest surface point of every pixel center, on the device of the camera.

    Faces that reach behind the camera are left out. Of faces at the same depth the last one is
    seen, in every run.
    """
    device = camera.camera_to_world.device
    vertices = torch.from_numpy(mesh.vertices).float().to(device)
    faces = torch.from_numpy(mesh.faces).to(device)
    pixels, depth = camera.project(vertices)
    in_front = (depth[faces].amin(dim=1) > 1e-4).nonzero()[:, 0]
    faces = faces.index_select(0, in_front)
    width, height = camera.intrinsics.width, camera.intrinsics.height
    screen = rasterize(pixels[faces], width, height)
    weights = screen.barycentric.T / gather_planes(depth[faces].T, screen.face)
    inverse_depth = weights.sum(0)
    nearest = torch.zeros(width * height, device=device)
    nearest.scatter_reduce_(0, screen.pixel, inverse_depth, "amax")
    front = (inverse_depth >= nearest.index_select(0, screen.pixel)).nonzero()[:, 0]
    pixel = screen.pixel.index_select(0, front)
    last = torch.zeros(width * height, dtype=torch.int64, device=device)
    last.scatter_reduce_(0, pixel, front, "amax")
    shown = last.index_select(0, pixel) == front
    pixel, front = pixel[shown], front[shown]
    on_surface = gather_planes(weights, front)
    on_surface = (on_surface / on_surface.sum(0)).T
    face = in_front.index_select(0, screen.face.index_select(0, front))
    visible = Fragments(pixel, face, on_surface)
    return RenderedGeometry(camera, visible, (1.0 / nearest).reshape(height, width))
