# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The preview of a running reconstruction: what there is so far, as a coarse mesh and a picture.

It only reads what the stages have made anyway, so that a result does not depend on it.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

from ..field.config import HALF_SIDE
from ..shared.errors import Cancelled
from ..shared.live.preview_files import PreviewFiles, PreviewMesh
from ..views.selection import spread_views
from .cleaning import decimate, keep_solid_parts
from .isosurface import extract_isosurface, isosurface_of_grid
from .preview import render_vertex_colors
from .texture import color_vertices

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from ..field.field import PointFunction
    from ..shared.cameras import Intrinsics, Normalization
    from ..shared.progress import Progress
    from ..shared.up_axis import Up
    from ..views.views import View
    from .surfaces import Surface
    from .triangle_mesh import TriangleMesh

LOGGER = logging.getLogger(__name__)

FACES = 20_000
"""Of a preview, at most: Blender makes a mesh of them between two frames of its interface."""

START_RESOLUTION, RESOLUTION = 64, 80
"""Cells along one side of the box, of the start and of what is fitted."""

START_VIEWS = 4
"""That give the start its colors."""

PICTURE_SIZE = 192
"""Side of the picture in pixels."""

PICTURE_MARGIN = 1.1
"""Side of the picture in those of the object."""


class LivePreview:
    """Writes previews of one job, and reports them.

    Args:
        folder: for their files.
        views: the input views; the picture is taken from the first one.
        normalization: from their world to model space.
        up: which way is up in that world.
        progress: receives the names of the files, and is checked for a cancel.
    """

    def __init__(
        self,
        folder: Path,
        views: Sequence[View],
        normalization: Normalization,
        up: Up,
        progress: Progress,
    ) -> None:
        self._folder, self._views, self._normalization = folder, views, normalization
        self._up, self._progress = up, progress
        self._lens = _around_object(views[0])
        self._count = 0

    @torch.no_grad()
    def show_surface(self, surface: Surface) -> None:
        """Show what the reconstruction starts from."""
        with _never_failing():
            shape = surface.signed_distance
            device, progress = surface.device, self._progress
            mesh = _coarse(extract_isosurface(shape, HALF_SIDE, START_RESOLUTION, progress, device))
            if surface.appearance is not None:
                colors = surface.appearance(_points(mesh, device))[:, :3].float().cpu().numpy()
            else:
                views = spread_views(self._views, START_VIEWS)
                found = color_vertices(mesh, views, self._normalization, progress, device)
                colors = found.cpu().numpy()
            self._show(mesh, colors)

    @torch.no_grad()
    def show_grid(self, grid: torch.Tensor, color_at: PointFunction) -> None:
        """Show a fitted surface.

        Args:
            grid: signed distance on the whole box, both ends included, [z, y, x].
            color_at: the colors at points [n, 3].
        """
        if grid.shape[0] > RESOLUTION + 1:
            size = (RESOLUTION + 1,) * 3
            grid = F.interpolate(grid[None, None], size, mode="trilinear", align_corners=True)[0, 0]
        with _never_failing():
            nodes = grid.permute(2, 1, 0).contiguous().cpu().numpy()
            mesh = _coarse(isosurface_of_grid(nodes, HALF_SIDE))
            self._show(mesh, color_at(_points(mesh, grid.device)).cpu().numpy())

    def _show(self, mesh: TriangleMesh, colors: NDArray[np.float32]) -> None:
        """Write the files of a mesh with vertex colors, and report them."""
        self._progress.check()
        self._count += 1
        files = PreviewFiles.numbered(self._folder, self._count)
        self._folder.mkdir(parents=True, exist_ok=True)
        world = self._normalization.invert(mesh.vertices) @ self._up.rotation.T
        stored = PreviewMesh(
            world.astype(np.float32), mesh.faces.astype(np.int32), _eight_bit(colors)
        )
        stored.write(files.mesh)
        pose = self._normalization.apply_to_pose(self._views[0].camera_to_world)
        picture = render_vertex_colors(mesh, colors, self._lens, pose)
        Image.fromarray(_eight_bit(picture)).save(files.picture)
        self._progress.show_preview(str(files.mesh), str(files.picture))


@contextmanager
def _never_failing() -> Iterator[None]:
    """Go on without a preview, such as where there is no surface, or no room for its files."""
    try:
        yield
    except Cancelled:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, the result does not need it
        LOGGER.warning("no preview: %s", error)


def _coarse(mesh: TriangleMesh) -> TriangleMesh:
    return decimate(keep_solid_parts(mesh), FACES)


def _points(mesh: TriangleMesh, device: torch.device) -> torch.Tensor:
    return torch.from_numpy(mesh.vertices).float().to(device)


def _around_object(view: View) -> Intrinsics:
    """The camera of a view, for a square picture of its object alone."""
    rows, columns = (np.flatnonzero(view.mask.max(axis=axis) > 0) for axis in (1, 0))
    top, left = float(rows[0]), float(columns[0])
    height, width = rows[-1] + 1 - top, columns[-1] + 1 - left
    side = round(PICTURE_MARGIN * max(height, width))
    lens = view.intrinsics.cropped(left + (width - side) / 2, top + (height - side) / 2, side, side)
    return lens.scaled(PICTURE_SIZE, PICTURE_SIZE)


def _eight_bit(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Round 0..1 to 8 bits."""
    rounded: NDArray[np.uint8] = np.rint(values.clip(0.0, 1.0) * 255).astype(np.uint8)
    return rounded
