# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Material textures: the light is taken out of what the views show of every texel."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from ..mesh.glb import Textures
from ..mesh.photo_projection import PhotoProjector, ProjectionSettings, camera_of
from ..mesh.texture import project_views, spread, texels_of
from ..mesh.view_colors import detail_pixels
from ..mesh.view_geometry import render_geometry
from ..views.tensor_colors import displayed, linear_of
from .observations import SATURATED, SATURATED_TRUST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..mesh.preview import LinearResponse
    from ..mesh.texture import Texels
    from ..shared.cameras import Normalization
    from ..shared.progress import Progress
    from ..views.views import View
    from .surface_materials import SurfaceMaterials

RIDGE = 0.02
"""Weight of the base color of the vertices, relative to the light of an average pixel."""

LEAST_TRUST = 0.02

TRUST_BLUR = 2.0
"""In units of the length of detail. Dark letters on a saturated ground are not saturated, but must
come from the same view as their ground."""


def bake_materials(
    surface: SurfaceMaterials,
    views: Sequence[View],
    normalization: Normalization,
    progress: Progress,
    device: torch.device | None = None,
) -> Textures:
    """Base color, roughness and metallic as textures.

    Args:
        surface: the mesh, normalized frame, and the materials of its vertices.
        views: whose colors are used, in the size they were taken.
        normalization: from their world.
        progress: receives fractions of the stage `texture`.
        device: that bakes; the CPU if it is None.
    """
    materials = surface.materials
    texels = texels_of(surface.mesh, device)
    lit = [LitView(view, surface.response_in(number, device)) for number, view in enumerate(views)]
    vertices = materials.base_color[surface.welded]

    def without_light(number: int, rows: torch.Tensor, display: torch.Tensor) -> torch.Tensor:
        return lit[number].base_color(texels.rows(rows), vertices, display)

    projectors = (view.projector(surface, normalization) for view in lit)
    colors, seen = project_views(texels, views, normalization, projectors, progress, without_light)
    progress.report("texture", 0.9, "filling what no view shows")
    scalars = torch.stack([materials.roughness, materials.metallic], dim=1)
    values = torch.cat([displayed(vertices), scalars[surface.welded]], dim=1)
    values = texels.interpolate(values)
    values[:, :3] = torch.where(seen[:, None], colors, values[:, :3])
    image = spread(values, texels)
    specular = 1.0 if materials.specular else 0.0
    return Textures(image[..., :3], image[..., 3], image[..., 4], specular)


@dataclass(frozen=True)
class LitView:
    """A view and the light in it.

    Radiance is gain * base_color + offset: solved texel by texel, with the base color of the
    vertices as a weak prior, since little light says little.

    Attributes:
        view: with its image.
        response: of the mesh to the light, in this view.
    """

    view: View
    response: LinearResponse

    @cached_property
    def typical(self) -> float:
        """The squared gain of a median vertex."""
        power = self.response.gain.mean(dim=1) ** 2
        return max(float(power.median()), 1e-8)

    def projector(self, surface: SurfaceMaterials, normalization: Normalization) -> PhotoProjector:
        """What the view sees, trusted where its light is strong and not saturated."""
        camera = camera_of(self.view, normalization, self.response.gain.device)
        geometry = render_geometry(surface.mesh.mesh, camera)
        projector = PhotoProjector.from_geometry(self.view, geometry, ProjectionSettings())
        seen, limits = geometry.fragments, projector.limits.clone()
        faces = torch.from_numpy(surface.mesh.mesh.faces).to(seen.face)
        gain = seen.interpolate(self.response.gain, faces)
        sure = (gain.mean(dim=1) ** 2 / self.typical).clamp_min(LEAST_TRUST)
        brightest = torch.from_numpy(self.view.image.max(axis=2)).to(limits)
        saturated = brightest.flatten()[seen.pixel] > SATURATED
        sure = torch.where(saturated, sure * SATURATED_TRUST, sure)
        trust = torch.zeros_like(geometry.depth)
        trust.view(-1)[seen.pixel] = sure
        blurred = _blurred(trust.cpu().numpy(), TRUST_BLUR * detail_pixels(camera))
        limits[1] *= torch.from_numpy(blurred).to(limits)
        return replace(projector, limits=limits)

    def base_color(
        self, texels: Texels, vertices: torch.Tensor, display: torch.Tensor
    ) -> torch.Tensor:
        """What the view would show without light, sRGB, [bands, n, 3].

        Args:
            texels: n of them.
            vertices: linear base color as a prior, [vertices, 3].
            display: what the view shows at the texels, sRGB, [bands, n, 3].
        """
        gain, offset, prior = (
            texels.interpolate(values)
            for values in (self.response.gain, self.response.offset, vertices)
        )
        radiance = linear_of(display)
        ridge = RIDGE * self.typical
        base = (gain * (radiance - offset) + ridge * prior) / (gain**2 + ridge)
        # What a saturated channel gives is a lower bound.
        base = torch.where(display > SATURATED, torch.maximum(base, prior), base)
        return displayed(base)


def _blurred(trust: NDArray[np.float32], pixels: float) -> NDArray[np.float32]:
    """The geometric mean around each pixel of what is above zero [height, width]; zero stays."""
    some = trust > 0
    weight = gaussian_filter(some.astype(np.float32), pixels, mode="constant")
    logarithm = np.log(np.where(some, trust, 1.0), dtype=np.float32)
    mean = gaussian_filter(logarithm, pixels, mode="constant") / np.maximum(weight, 1e-6)
    blurred: NDArray[np.float32] = np.where(some, np.exp(mean), 0.0).astype(np.float32)
    return blurred
