# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bound of the quality benchmark: a result in the asset's own materials.

python -m benchmarks.quality.true_materials VIEWS RESULT OUT      (in the backend environment)

Every texel takes base color, roughness and metallic from the nearest visible point of the asset:
what the estimate of materials loses is the difference to it.
"""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import trimesh
from scipy.spatial import cKDTree

from backend.materials.ray_caster import RayCaster
from backend.mesh.glb import Textures, store_specular
from backend.mesh.texture import spread, texels_of
from backend.mesh.triangle_mesh import TriangleMesh, UnwrappedMesh
from backend.result.folder import ResultFolder
from backend.shared.cameras import gltf_to_world
from backend.shared.capture.reader import read_capture
from backend.shared.names.result_names import REPORT
from backend.shared.srgb import linear_to_srgb
from backend.views.image_files import read_mask, read_values
from benchmarks.quality.asset_surface import SurfacePoints, sample_asset, specular_factor

if TYPE_CHECKING:
    from numpy.typing import NDArray

NORMAL_WEIGHT = 0.1
"""Units of length that a change of the normal by one counts: opposite sides of a wall are apart."""

LIFT = 2e-3
"""By which rays to the cameras start above the surface."""

MIN_OPACITY = 0.5


def bake_true_materials(views: Path, mesh: UnwrappedMesh) -> Textures:
    """The textures of a mesh, in the world of the capture, from the asset of the capture."""
    points = visible(sample_asset(views, constant_roughness(views)), views)
    texels = texels_of(mesh)
    index = nearest(points, texels.positions.numpy(), texels.normals.numpy())
    image = spread(torch.from_numpy(points.materials[index, :5]), texels)
    return Textures(linear_to_srgb(image[..., :3]), image[..., 3], image[..., 4])


def nearest(
    points: SurfacePoints, positions: NDArray[np.float32], normals: NDArray[np.float32]
) -> NDArray[np.int64]:
    """The nearest point [n] to each position, on the same side of a wall.

    Where the nearest of all faces away, normals count, too.
    """
    index: NDArray[np.int64] = cKDTree(points.positions).query(positions, workers=-1)[1]
    behind = (points.normals[index] * normals).sum(axis=1) < 0
    if behind.any():
        oriented = np.concatenate([points.positions, NORMAL_WEIGHT * points.normals], axis=1)
        wanted = np.concatenate([positions, NORMAL_WEIGHT * normals], axis=1)[behind]
        index[behind] = cKDTree(oriented).query(wanted, workers=-1)[1]
    return index


def visible(points: SurfacePoints, views: Path) -> SurfacePoints:
    """Opaque points that a camera of the capture sees: what lies inside the asset is left out."""
    mesh = trimesh.load_mesh(views / "test" / "reference_mesh.ply")
    rays = RayCaster(TriangleMesh(np.asarray(mesh.vertices), np.asarray(mesh.faces, np.int64)))
    seen = np.zeros(len(points.positions), bool)
    frames = [*read_capture(views).frames, *read_capture(views / "test").frames]
    for frame in frames:
        left = np.flatnonzero(~seen)
        toward = frame.camera_to_world[:3, 3] - points.positions[left]
        toward /= np.linalg.norm(toward, axis=1, keepdims=True)
        facing = (toward * points.normals[left]).sum(axis=1) > 0
        left, toward = left[facing], toward[facing]
        origins = torch.from_numpy(points.positions[left] + LIFT * toward)
        blocked = rays.is_blocked(origins, torch.from_numpy(toward)).numpy()
        seen[left[~blocked]] = True
    return points.where(seen & (points.materials[:, 5] > MIN_OPACITY))


def constant_roughness(views: Path) -> float:
    """The roughness in the passes of a capture, for assets whose files state none: the median."""
    values = []
    for frame in read_capture(views / "test").frames:
        size = (frame.intrinsics.width, frame.intrinsics.height)
        covered = read_mask(views / "test" / "masks" / f"{frame.name}.png", size) > MIN_OPACITY
        image = read_values(views / "test" / "roughness" / f"{frame.name}.png", size)
        values.append(image[covered][:, 0])
    return float(np.median(np.concatenate(values)))


def unwrapped(mesh: trimesh.Trimesh) -> UnwrappedMesh:
    """The mesh of a result, in the world of the capture."""
    visual: Any = mesh.visual
    return UnwrappedMesh(
        TriangleMesh(gltf_to_world(mesh.vertices), np.asarray(mesh.faces, np.int64)),
        gltf_to_world(mesh.vertex_normals),
        np.asarray(visual.uv),
        texture_size=visual.material.baseColorTexture.width,
    )


def main(views: Path, result: Path, output: Path) -> None:
    """Write the result with the materials of its asset as another result.

    Shading normals and the normal map stay.
    """
    scene = trimesh.load_scene(result / "mesh.glb", process=False)
    (mesh,) = scene.geometry.values()
    textures = bake_true_materials(views, unwrapped(mesh))
    mesh.visual.material.baseColorTexture = textures.base_color_image()
    mesh.visual.material.metallicRoughnessTexture = textures.metallic_roughness_image()
    specular = partial(store_specular, specular_factor(views))
    mesh_file = scene.export(file_type="glb", include_normals=True, tree_postprocessor=specular)
    report = json.loads((result / REPORT).read_text("utf-8")) | {"material": "pbr"}
    with ResultFolder(output) as folder:
        (folder / "mesh.glb").write_bytes(mesh_file)
        (folder / REPORT).write_text(json.dumps(report), "utf-8")
    sys.stdout.write(json.dumps({"mesh": str(output / "mesh.glb")}) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
