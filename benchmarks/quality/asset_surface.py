# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The surface of an asset as points with materials, in the normalized world of its capture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import trimesh

from backend.shared.cameras import Normalization, gltf_to_world
from backend.shared.capture.json_files import read_capture_json
from backend.shared.errors import BadAsset
from backend.shared.srgb import srgb_to_linear

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from PIL import Image

    Floats = NDArray[np.float64]

SAMPLES = 1_000_000
"""Points on the surface: one in a square of about 0.002, where the object has radius 0.5."""

SAME_BOUNDS = 2e-3
"""By which the corners of the placed asset may miss those of the true mesh."""


@dataclass(frozen=True)
class SurfacePoints:
    """Points on a surface.

    Attributes:
        positions: [n, 3].
        normals: of the faces, unit, [n, 3].
        materials: linear base color, roughness, metallic, opacity in 0..1, [n, 6].
    """

    positions: Floats
    normals: Floats
    materials: NDArray[np.float32]

    def where(self, chosen: NDArray[np.bool_]) -> SurfacePoints:
        """The chosen [n] points."""
        return SurfacePoints(self.positions[chosen], self.normals[chosen], self.materials[chosen])


def sample_asset(views: Path, default_roughness: float) -> SurfacePoints:
    """Sample the asset that a capture was made from, evenly by area.

    Args:
        views: a capture with `--normalize`, a test folder, and the path of its source.
        default_roughness: of materials whose file has none, as Wavefront's.

    Raises:
        BadAsset: if the asset does not coincide with the true mesh of the capture.
    """
    description = read_capture_json(views)
    scene = trimesh.load_scene(description["source"]["file"], process=False)
    geometries = [each for each in scene.dump() if isinstance(each, trimesh.Trimesh)]
    areas = [geometry.area for geometry in geometries]
    parts = [
        _sample(geometry, max(1, round(SAMPLES * area / sum(areas))), default_roughness)
        for geometry, area in zip(geometries, areas, strict=True)
    ]
    points = SurfacePoints(
        np.concatenate([part.positions for part in parts]),
        np.concatenate([part.normals for part in parts]),
        np.concatenate([part.materials for part in parts]),
    )
    true = trimesh.load_mesh(views / "test" / "reference_mesh.ply").bounds
    return _placed(points, scene.bounds, Normalization(**description["normalization"]), true)


def specular_factor(views: Path) -> float:
    """The factor of the reflection of dielectrics that Blender renders the asset of a capture with.

    That of glTF files is 1. Of Wavefront's it is twice the mean of `Ks`: Blender makes that mean
    its specular level, of which a half is glTF's 1. Of several materials it is the mean.
    """
    scene = trimesh.load_scene(read_capture_json(views)["source"]["file"], process=False)
    materials = [each.visual.material for each in scene.geometry.values()]
    return float(np.mean([_specular_factor(each) for each in materials]))


def _specular_factor(material: Any) -> float:
    specular = getattr(material, "kwargs", {}).get("ks")
    return 1.0 if specular is None else min(1.0, 2.0 * float(np.mean(specular)))


def _placed(
    points: SurfacePoints, bounds: Floats, normalization: Normalization, true: Floats
) -> SurfacePoints:
    """Points in the world of the capture, whether the file has y or z up."""
    for turn in (gltf_to_world, np.asarray):
        corners = np.sort(normalization.apply(turn(bounds)), axis=0)
        if np.abs(corners - true).max() < SAME_BOUNDS:
            positions = normalization.apply(turn(points.positions))
            return SurfacePoints(positions, turn(points.normals), points.materials)
    raise BadAsset(
        f"The asset does not coincide with the true mesh {true.tolist()}.",
        "Capture the asset again with --normalize.",
    )


def _sample(mesh: trimesh.Trimesh, count: int, default_roughness: float) -> SurfacePoints:
    """Points on one part of the asset, the same in every run."""
    random = np.random.default_rng(0)
    face = random.choice(len(mesh.faces), count, p=mesh.area_faces / mesh.area)
    first, second = np.sqrt(random.random(count)), random.random(count)
    weights = np.stack([1 - first, first * (1 - second), first * second], axis=1)
    corners = mesh.faces[face]
    positions = (mesh.vertices[corners] * weights[..., None]).sum(axis=1)
    visual: Any = mesh.visual
    uv = getattr(visual, "uv", None)
    uv = np.zeros((count, 2)) if uv is None else (uv[corners] * weights[..., None]).sum(axis=1)
    materials = _materials(visual.material, uv, default_roughness)
    return SurfacePoints(positions, mesh.face_normals[face], materials)


def _materials(material: Any, uv: Floats, default_roughness: float) -> NDArray[np.float32]:
    """Linear base color, roughness, metallic and opacity [n, 6] at texture coordinates [n, 2]."""
    values = np.ones((len(uv), 6), np.float32)
    values[:, 3:5] = default_roughness, 0.0
    if hasattr(material, "baseColorTexture"):
        image, factor = material.baseColorTexture, material.baseColorFactor
        values[:, 3] = _or_one(material.roughnessFactor)
        values[:, 4] = _or_one(material.metallicFactor)
        if material.metallicRoughnessTexture is not None:
            values[:, 3:5] *= _lookup(material.metallicRoughnessTexture.convert("RGB"), uv)[:, 1:]
    else:
        image, factor = material.image, None
    if image is not None:
        color = _lookup(image.convert("RGBA"), uv)
        values[:, :3], values[:, 5] = srgb_to_linear(color[:, :3]), color[:, 3]
    if factor is not None:  # kept by trimesh as bytes of the linear factor
        values[:, [0, 1, 2, 5]] *= np.asarray(factor, np.float32) / 255
    if getattr(material, "alphaMode", None) != "BLEND":
        values[:, 5] = 1.0
    return values


def _or_one(factor: float | None) -> float:
    """A factor of glTF, which is 1 where the file leaves it out."""
    return 1.0 if factor is None else float(factor)


def _lookup(image: Image.Image, uv: Floats) -> NDArray[np.float32]:
    """Bilinear values [n, channels] in 0..1 of an image that repeats, at uv [n, 2], v up."""
    pixels = np.asarray(image, np.float32) / 255
    height, width = pixels.shape[:2]
    x, y = uv[:, 0] * width - 0.5, (1 - uv[:, 1]) * height - 0.5
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    right_part, lower_part = (x - left)[:, None], (y - top)[:, None]
    upper, lower = (
        pixels[(top + row) % height, left % width] * (1 - right_part)
        + pixels[(top + row) % height, (left + 1) % width] * right_part
        for row in (0, 1)
    )
    values: NDArray[np.float32] = (upper * (1 - lower_part) + lower * lower_part).astype(np.float32)
    return values
