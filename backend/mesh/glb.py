# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The result as glTF: one mesh and one material, in the units and frame of the capture's world."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import trimesh
from PIL import Image
from trimesh.visual import TextureVisuals
from trimesh.visual.material import PBRMaterial

from ..shared.cameras import Normalization, world_to_gltf
from ..shared.names.asset_names import UNNAMED

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from ..shared.cameras import Floats
    from .triangle_mesh import UnwrappedMesh

IMAGE_NAMES = {
    "baseColorTexture": "base color",
    "metallicRoughnessTexture": "metallic roughness",
}
NORMAL_NAME = "normal"


@dataclass(frozen=True)
class Textures:
    """The maps of the one material, all of one square size.

    Attributes:
        base_color: [size, size, 3], sRGB encoded, 0..1.
        roughness: [size, size], linear.
        metallic: [size, size], linear.
        specular: factor of the reflection of dielectrics, 0..1.
        normal: [size, size, 3], in tangent space, as colors with v up; None without a normal map.
    """

    base_color: NDArray[np.float32]
    roughness: NDArray[np.float32]
    metallic: NDArray[np.float32]
    specular: float = 1.0
    normal: NDArray[np.float32] | None = None

    def base_color_image(self) -> Image.Image:
        """The base color as an 8-bit image."""
        return _eight_bit(self.base_color)

    def metallic_roughness_image(self) -> Image.Image:
        """Packed as glTF defines it: green is roughness, blue is metallic."""
        empty = np.ones_like(self.roughness)
        return _eight_bit(np.stack([empty, self.roughness, self.metallic], axis=-1))

    def normal_image(self) -> Image.Image | None:
        """The normal map as an 8-bit image, if there is one."""
        return None if self.normal is None else _eight_bit(self.normal)


def plain_dielectric(base_color: NDArray[np.float32]) -> Textures:
    """Textures of a fully rough dielectric; the color contains the light of the views."""
    one = np.ones((8, 8), dtype=np.float32)
    return Textures(base_color=base_color, roughness=one, metallic=0 * one)


def write_glb(
    path: Path,
    unwrapped: UnwrappedMesh,
    textures: Textures,
    normalization: Normalization,
    rotation: Floats | None = None,
    name: str = UNNAMED,
) -> None:
    """Write a mesh from model space as `.glb` in the world of the views.

    Args:
        path: of the file.
        unwrapped: the mesh.
        textures: of its one material.
        normalization: from the world to model space.
        rotation: [3, 3], of the world, that its node applies; the vertices are not turned.
        name: of the asset, and so of node, mesh, material and images.
    """
    material = PBRMaterial(
        name=name,
        baseColorTexture=textures.base_color_image(),
        metallicRoughnessTexture=textures.metallic_roughness_image(),
        normalTexture=textures.normal_image(),
        baseColorFactor=[255, 255, 255, 255],
        metallicFactor=1.0,
        roughnessFactor=1.0,
    )
    mesh = trimesh.Trimesh(
        vertices=world_to_gltf(normalization.invert(unwrapped.mesh.vertices)),
        faces=unwrapped.mesh.faces,
        vertex_normals=world_to_gltf(unwrapped.normals),
        visual=TextureVisuals(uv=unwrapped.uv, material=material),
        process=False,
    )
    scene = trimesh.Scene()
    turned = None if rotation is None else _gltf_matrix(rotation)
    scene.add_geometry(mesh, node_name=name, geom_name=name, transform=turned)
    finish = partial(_finish, textures, name)
    options = {"include_normals": True, "tree_postprocessor": finish}
    path.write_bytes(trimesh.exchange.gltf.export_glb(scene, **options))


def _gltf_matrix(rotation: Floats) -> Floats:
    """A rotation [3, 3] of the world as a matrix [4, 4] of glTF's axes."""
    axes = world_to_gltf(np.eye(3)).T
    matrix = np.eye(4)
    matrix[:3, :3] = axes @ rotation @ axes.T
    return matrix


def _finish(textures: Textures, name: str, tree: dict[str, Any]) -> None:
    """Name the images and store the specular factor: the library has no parameter for either."""
    material = tree["materials"][0]
    used = {what: material["pbrMetallicRoughness"][key] for key, what in IMAGE_NAMES.items()}
    if "normalTexture" in material:
        used[NORMAL_NAME] = material["normalTexture"]
    for what, reference in used.items():
        texture = tree["textures"][reference["index"]]
        tree["images"][texture["source"]]["name"] = f"{name} {what}"
    store_specular(textures.specular, tree)


def store_specular(specular: float, tree: dict[str, Any]) -> None:
    """Store the specular factor of the only material of a glTF document, unless it is 1."""
    if specular < 1.0:
        extension = {"KHR_materials_specular": {"specularFactor": specular}}
        tree["materials"][0]["extensions"] = extension
        tree["extensionsUsed"] = sorted({*tree.get("extensionsUsed", ()), *extension})


def _eight_bit(values: NDArray[np.float32]) -> Image.Image:
    """Round 0..1 to an 8-bit RGB image."""
    return Image.fromarray(np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8))
