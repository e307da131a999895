# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scores: how close renders are to held-out views, and a mesh to the true one."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import trimesh
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from ..shared.cameras import gltf_to_world
from ..shared.capture.reader import read_capture
from ..shared.errors import BadImage
from ..shared.up_axis import stored_rotation
from ..views.views import read_view

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from _typeshed import DataclassInstance
    from numpy.typing import NDArray

    Pair = tuple[str, tuple[NDArray[np.float32], NDArray[np.float32]]]

Scores = TypeVar("Scores", bound="DataclassInstance")

CHAMFER_SAMPLES = 60_000
"""Points drawn on each surface."""


@dataclass(frozen=True)
class ImageScores:
    """One render against one view, both over white, as displayed (sRGB).

    Attributes:
        iou: sum of the smaller coverage over sum of the larger.
        psnr: decibels over the whole frame.
        psnr_foreground: decibels over the union of both silhouettes.
        ssim: structural similarity, 11 pixel Gaussian window of deviation 1.5.
    """

    iou: float
    psnr: float
    psnr_foreground: float
    ssim: float


def score_image(render: NDArray[np.float32], truth: NDArray[np.float32]) -> ImageScores:
    """Compare two straight-alpha images [height, width, 4]."""
    rendered, true = over_white(render), over_white(truth)
    squared = ((rendered - true) ** 2).mean(axis=2)
    union = (render[..., 3] > 0) | (truth[..., 3] > 0)
    larger = np.maximum(render[..., 3], truth[..., 3]).sum()
    smaller = np.minimum(render[..., 3], truth[..., 3]).sum()
    return ImageScores(
        iou=float(smaller / larger) if larger else 1.0,
        psnr=decibels(squared),
        psnr_foreground=decibels(squared[union]),
        ssim=structural_similarity(rendered, true),
    )


def mean_scores(scores: Sequence[Scores]) -> Scores:
    """The mean of every measure over views; decibels are averaged, not errors."""
    rows = np.array([list(asdict(score).values()) for score in scores])
    return type(scores[0])(*rows.mean(axis=0).tolist())


def over_white(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Composite straight alpha over white."""
    alpha = image[..., 3:]
    return image[..., :3] * alpha + (1 - alpha)


def structural_similarity(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Mean SSIM of two images [height, width, channels] in 0..1 (Wang et al. 2004)."""

    def blur(image: NDArray[np.float32]) -> NDArray[np.float64]:
        blurred: NDArray[np.float64] = gaussian_filter(
            image.astype(np.float64), (1.5, 1.5, 0), radius=(5, 5, 0)
        )
        return blurred

    mean_a, mean_b = blur(a), blur(b)
    variance_a = blur(a * a) - mean_a**2
    variance_b = blur(b * b) - mean_b**2
    covariance = blur(a * b) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    similarity = ((2 * mean_a * mean_b + c1) * (2 * covariance + c2)) / (
        (mean_a**2 + mean_b**2 + c1) * (variance_a + variance_b + c2)
    )
    return float(similarity.mean())


def chamfer_distance(mesh: trimesh.Trimesh, reference: trimesh.Trimesh) -> float:
    """Mean of both directed mean distances, x1e3, where the reference has radius 0.5."""
    points = trimesh.sample.sample_surface(mesh, CHAMFER_SAMPLES, seed=0)[0]
    true_points = trimesh.sample.sample_surface(reference, CHAMFER_SAMPLES, seed=0)[0]
    center = reference.bounds.mean(axis=0)
    radius = np.linalg.norm(reference.vertices - center, axis=1).max()
    forward, _ = cKDTree(true_points).query(points, workers=-1)
    backward, _ = cKDTree(points).query(true_points, workers=-1)
    return float(1e3 * 0.5 * (forward.mean() + backward.mean()) * 0.5 / radius)


def score_renders(renders: Path, views: Path, images: Path | None = None) -> dict[str, ImageScores]:
    """Score every view of a capture against `<view name>.png` in a folder of renders.

    Args:
        renders: straight-alpha PNGs.
        views: the capture folder.
        images: a folder with other images `<view name>.png` of the views, under another light for
            example; the masks remain those of the capture.

    Raises:
        BadImage: if an image or a render is missing or of another size.
    """
    return {
        name: score_image(render, truth)
        for name, (render, truth) in read_pairs(renders, views, images)
    }


def read_pairs(renders: Path, views: Path, images: Path | None = None) -> Iterator[Pair]:
    """The render and the true image of every view; arguments and errors as for `score_renders`.

    Yields:
        (name of the view, (render, truth)), both straight alpha [height, width, 4].
    """
    for frame in read_capture(views).frames:
        pictured = frame.with_image(images / f"{frame.name}.png") if images else frame
        view = read_view(pictured)
        truth = np.concatenate([view.image, view.mask[..., None]], axis=2)
        yield view.name, (read_render(renders, view.name, truth.shape[:2]), truth)


def decibels(squared_error: NDArray[np.float32]) -> float:
    """Peak signal to noise for a peak of 1; capped where there is no error, or nothing at all."""
    if squared_error.size == 0:
        return decibels(np.zeros(1, dtype=np.float32))
    return float(-10 * np.log10(max(float(squared_error.mean()), 1e-10)))


def read_mesh(path: Path) -> trimesh.Trimesh:
    """All geometry of a file as one mesh in the capture's world, not turned upright."""
    mesh = trimesh.load_mesh(path, process=False)
    if path.suffix.lower() in (".glb", ".gltf"):
        mesh.vertices = gltf_to_world(mesh.vertices) @ stored_rotation(path)
    return mesh


def read_render(folder: Path, name: str, shape: tuple[int, ...] | None) -> NDArray[np.float32]:
    """A render as [height, width, 4] in 0..1.

    Args:
        folder: of the renders.
        name: of the view.
        shape: that the render must have, (height, width); None takes any.

    Raises:
        BadImage: if it is missing, or of another size.
    """
    path = folder / f"{name}.png"
    if not path.is_file():
        raise BadImage(f"There is no render {path}.", "Render every test view before scoring.")
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGBA")).astype(np.float32) / np.float32(255)
    if shape is not None and pixels.shape[:2] != shape:
        raise BadImage(
            f"{path} is {pixels.shape[1]}x{pixels.shape[0]}, its view {shape[1]}x{shape[0]}.",
            "Render at the resolution of the view.",
        )
    return pixels
