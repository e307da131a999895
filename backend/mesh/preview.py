# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unlit renders of the textured mesh without Blender, from any camera."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional as F

from ..views.tensor_colors import displayed, linear_of
from .view_geometry import Camera, render_geometry, sample_image

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from ..shared.cameras import Intrinsics
    from .rasterizer import Fragments
    from .triangle_mesh import TriangleMesh, UnwrappedMesh

SAMPLES_PER_SIDE = 1024
"""Samples along the longer side, at most 4 x 4 in a pixel."""


@dataclass(frozen=True)
class LinearResponse:
    """What a light makes of base colors in one view: gain * base_color + offset, linear RGB.

    Attributes:
        gain: [vertices, 3].
        offset: [vertices, 3].
    """

    gain: torch.Tensor
    offset: torch.Tensor

    def lit(self, display: torch.Tensor, faces: NDArray[np.int64], seen: Fragments) -> torch.Tensor:
        """Base colors of fragments [n, 3] under the light; both sRGB in 0..1."""
        gain, offset = (
            seen.interpolate(values, torch.from_numpy(faces)) for values in (self.gain, self.offset)
        )
        return displayed(linear_of(display) * gain + offset)


def render_mesh(
    unwrapped: UnwrappedMesh,
    base_color: NDArray[np.float32],
    intrinsics: Intrinsics,
    camera_to_model: NDArray[np.float64],
    response: LinearResponse | None = None,
) -> NDArray[np.float32]:
    """The base color as a camera sees it, or what a light makes of it.

    Args:
        unwrapped: the mesh, model space.
        base_color: [size, size, 3].
        intrinsics: of the image to make.
        camera_to_model: pose [4, 4], OpenGL axes.
        response: of the materials to their light; without it, the base color is shown.

    Returns:
        [height, width, 4], straight alpha, 0..1.
    """
    uv = torch.from_numpy(unwrapped.uv).float()
    texture = torch.from_numpy(base_color).permute(2, 0, 1)

    def shade(seen: Fragments) -> torch.Tensor:
        at = seen.interpolate(uv, torch.from_numpy(unwrapped.mesh.faces))
        texels = torch.stack([at[:, 0], 1 - at[:, 1]], dim=1) * base_color.shape[0]
        display = sample_image(texture, texels)
        return response.lit(display, unwrapped.mesh.faces, seen) if response else display

    per_pixel = min(4, max(1, SAMPLES_PER_SIDE // max(intrinsics.width, intrinsics.height)))
    return _render(unwrapped.mesh, intrinsics, camera_to_model, shade, per_pixel)


def render_vertex_colors(
    mesh: TriangleMesh,
    colors: NDArray[np.float32],
    intrinsics: Intrinsics,
    camera_to_model: NDArray[np.float64],
) -> NDArray[np.float32]:
    """The colors of vertices [vertices, 3] as a camera sees them, quickly; as `render_mesh`."""
    values, faces = torch.from_numpy(colors).float(), torch.from_numpy(mesh.faces)

    def shade(seen: Fragments) -> torch.Tensor:
        return seen.interpolate(values, faces)

    return _render(mesh, intrinsics, camera_to_model, shade, per_pixel=2)


def _render(
    mesh: TriangleMesh,
    intrinsics: Intrinsics,
    camera_to_model: NDArray[np.float64],
    shade: Callable[[Fragments], torch.Tensor],
    per_pixel: int,
) -> NDArray[np.float32]:
    """An image [height, width, 4] of the colors [n, 3] that fragments have.

    Args:
        mesh: to show.
        intrinsics: of the image.
        camera_to_model: pose [4, 4].
        shade: the colors.
        per_pixel: samples along either side of a pixel.
    """
    fine = intrinsics.scaled(intrinsics.width * per_pixel, intrinsics.height * per_pixel)
    camera = Camera.from_pose(fine, camera_to_model, torch.device("cpu"))
    seen = render_geometry(mesh, camera).fragments
    planes = torch.zeros(4, fine.height * fine.width)
    planes[:3, seen.pixel] = shade(seen).T
    planes[3, seen.pixel] = 1.0
    image = F.avg_pool2d(planes.view(1, 4, fine.height, fine.width), per_pixel)[0]
    return _straight(image.permute(1, 2, 0).contiguous().numpy())


def _straight(premultiplied: NDArray[np.float32]) -> NDArray[np.float32]:
    """Divide the color by alpha where there is any."""
    alpha = premultiplied[..., 3:]
    color = np.divide(
        premultiplied[..., :3], alpha, out=np.zeros_like(premultiplied[..., :3]), where=alpha > 0
    )
    return np.concatenate([color, alpha], axis=-1)
