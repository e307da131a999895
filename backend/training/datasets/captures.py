# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A capture folder of LSRM as a sample: its test views, with their passes and the true mesh."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
import trimesh

from ...mesh.photo_projection import camera_of
from ...mesh.triangle_mesh import TriangleMesh
from ...mesh.view_geometry import render_geometry
from ...shared.cameras import Normalization
from ...shared.capture.capture import PASSES, REFERENCE_MESH
from ...shared.capture.reader import read_capture
from ...shared.errors import BadCapture
from ...views.image_files import read_values
from ...views.views import read_view
from .plain_captures import sample_of_views

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    from ...shared.capture.capture import Frame
    from ...views.views import View
    from .sample import Sample

    Floats = NDArray[np.float32]

TEST = "test"

MARGIN = 0.01
"""Of the radius, between the object and the sphere of radius 0.5."""

SHOWN = 0.5
"""Coverage from which a pixel has targets: below it its center shows no object."""


def sample_of_capture(folder: Path, name: str) -> Sample:
    """The test views of a capture, made with `--test-views` and `--passes`.

    Depth is that of the true mesh.

    Args:
        folder: of the capture.
        name: of the sample.

    Raises:
        BadCapture: if it has no test views, no bounding sphere, or no mesh.
        BadImage: if an image or a pass is missing or broken.
    """
    sphere = read_capture(folder).bounding_sphere
    if sphere is None:
        raise BadCapture(f"{folder} does not say where its object is.", "Capture it again.")
    normalization = Normalization.from_sphere(sphere.center, sphere.radius, MARGIN)
    frames = read_capture(folder / TEST).frames
    views = [read_view(frame) for frame in frames]
    sample = sample_of_views(name, views, normalization)
    mesh = _true_mesh(folder / TEST / REFERENCE_MESH, normalization)
    shown = sample.masks.numpy() >= SHOWN
    passes = {each: _read_pass(folder / TEST / each, frames, shown) for each in PASSES}
    normals = 2.0 * passes["normal"] - 1.0
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True).clip(1e-6)
    return replace(
        sample,
        depth=_depth(mesh, views, normalization) * torch.from_numpy(shown),
        normals=_planes(normals * shown[..., None]),
        base_color=_planes(passes["base_color"]),
        roughness=torch.from_numpy(passes["roughness"][..., 0]),
        metallic=torch.from_numpy(passes["metallic"][..., 0]),
    ).check()


def _read_pass(folder: Path, frames: tuple[Frame, ...], shown: NDArray[np.bool_]) -> Floats:
    """A pass of all views, zero where no object is shown, [views, height, width, channels]."""
    values = [
        read_values(folder / f"{frame.name}.png", (frame.intrinsics.width, frame.intrinsics.height))
        for frame in frames
    ]
    found: Floats = np.stack(values) * shown[..., None]
    return found


def _true_mesh(path: Path, normalization: Normalization) -> TriangleMesh:
    """The mesh of the object in the sphere of radius 0.5.

    Raises:
        BadCapture: if it is missing or broken.
    """
    try:
        mesh = trimesh.load_mesh(path, process=False)
    except (OSError, ValueError) as error:
        raise BadCapture(f"{path} cannot be read: {error}.", "Capture the asset again.") from error
    vertices = normalization.apply(mesh.vertices)
    return TriangleMesh(vertices, np.asarray(mesh.faces, np.int64))


def _depth(mesh: TriangleMesh, views: list[View], normalization: Normalization) -> Tensor:
    """Depth at the centers of pixels, zero where there is nothing, [views, height, width]."""
    found = []
    for view in views:
        geometry = render_geometry(mesh, camera_of(view, normalization))
        found.append(torch.where(geometry.covered, geometry.depth, 0.0))
    return torch.stack(found)


def _planes(images: Floats) -> Tensor:
    """[views, height, width, 3] as [views, 3, height, width]."""
    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2), np.float32))
