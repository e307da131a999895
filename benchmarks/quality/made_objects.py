# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the objects that the quality benchmark makes itself as `.glb`; two runs agree to the bit.

python -m benchmarks.quality.made_objects OUT [NAME...]      (in the backend environment)
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

from backend.mesh.cleaning import decimate
from backend.mesh.glb import Textures, write_glb
from backend.mesh.isosurface import extract_isosurface
from backend.mesh.texture import spread, texels_of
from backend.mesh.triangle_mesh import TriangleMesh
from backend.mesh.unwrap import unwrap
from backend.shared.cameras import Normalization
from backend.shared.progress import Progress
from backend.shared.srgb import linear_to_srgb
from benchmarks.quality.made_shapes import MADE_OBJECTS

if TYPE_CHECKING:
    from torch import Tensor

    from benchmarks.quality.made_shapes import MadeObject

MIDDLE = 0.55
"""Height of the middle of the box that an object stands in, on z = 0."""

HALF_EXTENT = 0.6
RESOLUTION = 256
FACES = 40_000
TEXTURE_SIZE = 1024
STEP = 1e-3
"""Of the differences that the slope of a signed distance is taken from."""


def make(made: MadeObject, path: Path) -> None:
    """Write one object: a closed mesh with exact normals, base color, roughness and metallic."""
    progress = Progress()

    def centered(points: Tensor) -> Tensor:
        return made.signed_distance(_standing(points))

    mesh = extract_isosurface(centered, HALF_EXTENT, RESOLUTION, progress)
    mesh = _on_surface(decimate(mesh, FACES), made)
    unwrapped = unwrap(mesh, TEXTURE_SIZE, progress)
    points = torch.from_numpy(unwrapped.mesh.vertices)
    normals = F.normalize(_slope(points, made), dim=1).numpy()
    unwrapped = replace(unwrapped, normals=normals)
    texels = texels_of(unwrapped)
    image = spread(made.paint(_standing(texels.positions)), texels)
    textures = Textures(linear_to_srgb(image[..., :3]), image[..., 3], image[..., 4])
    write_glb(path, unwrapped, textures, Normalization.from_sphere((0.0, 0.0, 0.0), 0.5))


def _standing(points: Tensor) -> Tensor:
    """Points around the origin, in the frame of the object."""
    return points + points.new_tensor([0.0, 0.0, MIDDLE])


def _on_surface(mesh: TriangleMesh, made: MadeObject) -> TriangleMesh:
    """The vertices moved onto the surface by Newton's method."""
    points = torch.from_numpy(mesh.vertices)
    for _ in range(2):
        slope = _slope(points, made)
        distance = made.signed_distance(_standing(points))[:, None]
        points = points - distance * slope / slope.square().sum(dim=1, keepdim=True).clamp_min(0.2)
    return TriangleMesh(points.numpy(), mesh.faces)


def _slope(points: Tensor, made: MadeObject) -> Tensor:
    """The gradient [n, 3] of the signed distance, by central differences."""
    differences = []
    for axis in torch.eye(3, dtype=points.dtype):
        ahead, behind = (
            made.signed_distance(_standing(points + side * STEP * axis)) for side in (1, -1)
        )
        differences.append((ahead - behind) / (2 * STEP))
    return torch.stack(differences, dim=1)


def main(folder: Path, names: list[str]) -> None:
    """Write the named objects, or all, into a folder; the list of files as JSON on stdout."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {name: folder / f"{name}.glb" for name in names or MADE_OBJECTS}
    for name, path in paths.items():
        make(MADE_OBJECTS[name], path)
    sys.stdout.write(json.dumps({name: str(path) for name, path in paths.items()}) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
