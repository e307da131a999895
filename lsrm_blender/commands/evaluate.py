# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `evaluate`: renders at the held-out cameras, scored by the backend."""

from __future__ import annotations

import json
import subprocess
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...backend.shared.capture.capture import (
    ENVIRONMENT_NAME,
    PASSES,
    REFERENCE_MESH,
    Capture,
    relit_folder,
)
from ...backend.shared.capture.reader import read_capture
from ...backend.shared.errors import BackendDied, BadCapture
from ...backend.shared.virtual_environments import ROOT, backend_command, child_variables
from ..scene.cameras.scene_cameras import Viewpoint
from ..scene.lighting import EnvironmentLight
from ..scene.passes import write_passes
from ..scene.pixels import read_stored, to_srgb, write_png
from .result_views import render_result, result_scene

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...backend.shared.progress import Progress


@dataclass(frozen=True)
class Shading:
    """How a result is rendered, which decides what it is compared with, and by which measures.

    Attributes:
        kind: "unlit" renders the base color, "lit" uses an environment light; both are compared
            with the images of the test views. "passes" renders materials and normals and compares
            them with the passes of the test views.
        environment: of "lit", the file or name of one that the test views were relit by; None
            takes the light of the views.
        flip: whether to add the FLIP error of the images; needs the package flip-evaluator.
        light: of "lit" without a named environment, one that was estimated with the result; None
            takes that of the capture.
    """

    kind: str = "unlit"
    environment: str | None = None
    flip: bool = False
    light: EnvironmentLight | None = None


def evaluate(
    views: Path, mesh: Path, shading: Shading, comparison: Path | None, progress: Progress
) -> dict[str, Any]:
    """Score a mesh against the held-out views of a capture.

    Args:
        views: the capture folder; it must have a `test` folder.
        mesh: any 3D file, in the capture's coordinates.
        shading: what is rendered and compared.
        comparison: the file for the true views and the renders side by side, if any.
        progress: receives every view.

    Returns:
        The backend's scores.

    Raises:
        BadCapture: if the capture has no held-out views, or not the relit views or passes that the
            shading needs.
        BadAsset: if the mesh cannot be opened, or the environment light is unknown.
        BackendDied: if the scoring process fails.
    """
    test = views / "test"
    capture = _truth(test, shading)
    with tempfile.TemporaryDirectory(prefix="lsrm-evaluate-") as folder:
        renders = Path(folder)
        with result_scene(mesh) as scene:
            if shading.kind == "passes":
                write_passes(scene, _viewpoints(capture), renders, progress, masks=True)
            else:
                chosen = EnvironmentLight(shading.environment or str(views / ENVIRONMENT_NAME))
                light = (shading.light or chosen) if shading.kind == "lit" else None
                render_result(scene, _viewpoints(capture), light, renders, progress)
        if comparison is not None:
            write_comparison(_pairs(capture, renders, shading), comparison)
        return _scores(renders, test, mesh, shading)


def _truth(test: Path, shading: Shading) -> Capture:
    """The test views with the images that a shading is compared with.

    Raises:
        BadCapture: if the capture has none.
    """
    views = test.parent
    if not test.is_dir():
        raise BadCapture(
            f"{views} has no held-out views.", "Capture again with --test-views 8, for example."
        )
    if shading.kind == "passes" and not all((test / channel).is_dir() for channel in PASSES):
        raise BadCapture(
            f"The held-out views of {views} have no passes.",
            "Capture again with --test-views 8 --passes, for example.",
        )
    capture = read_capture(test)
    if shading.environment is None:
        return capture
    folder = relit_folder(test, shading.environment)
    if not folder.is_dir():
        raise BadCapture(
            f"The held-out views of {views} were not relit by {shading.environment}.",
            f"Capture again with --test-views 8 --relight {shading.environment}, for example.",
        )
    relit = (frame.with_image(folder / f"{frame.name}.png") for frame in capture.frames)
    return replace(capture, frames=tuple(relit))


def _viewpoints(capture: Capture) -> list[Viewpoint]:
    """The cameras of a capture."""
    return [
        Viewpoint(frame.name, frame.intrinsics, frame.camera_to_world) for frame in capture.frames
    ]


def _scores(renders: Path, test: Path, mesh: Path, shading: Shading) -> dict[str, Any]:
    """Scores of renders by the backend: Blender's Python has not the libraries for them."""
    command = backend_command("metrics", str(renders), str(test.absolute()), "--json")
    if shading.kind == "passes":
        command.append("--passes")
    elif shading.environment is not None:
        command += ["--images", str(relit_folder(test.absolute(), shading.environment))]
    if shading.flip:
        command.append("--flip")
    reference = test / REFERENCE_MESH
    if reference.is_file():
        command += ["--mesh", str(mesh.absolute()), "--reference-mesh", str(reference.absolute())]
    done = subprocess.run(
        command, cwd=ROOT, env=child_variables(), capture_output=True, text=True, check=False
    )
    try:
        scores: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        scores = {}
    if done.returncode != 0 or "error" in scores or not scores:
        message = scores.get("error", {}).get("message") or done.stderr.strip()[-500:]
        raise BackendDied(
            f"Scoring failed with exit code {done.returncode}: {message}",
            "Run `python3 -m backend doctor`.",
        )
    return scores


def _pairs(capture: Capture, renders: Path, shading: Shading) -> list[list[Path]]:
    """The images of every view to show side by side: true ones left of rendered ones."""
    names = [f"{frame.name}.png" for frame in capture.frames]
    if shading.kind == "passes":
        folders = [folder / channel for channel in PASSES for folder in (capture.folder, renders)]
        return [[folder / name for folder in folders] for name in names]
    images = [frame.image_path for frame in capture.frames]
    return [[image, renders / name] for image, name in zip(images, names, strict=True)]


def write_comparison(rows: Sequence[Sequence[Path]], path: Path) -> None:
    """Store one image with a row of images for every view."""
    shown = [np.concatenate([_displayed(image) for image in row], axis=1) for row in rows]
    write_png(path, np.concatenate(_same_width(shown), axis=0))


def _displayed(path: Path) -> np.ndarray:
    """An image, or a pass, over white [height, width, 3]."""
    image = read_stored(path)
    if path.parent.name == "base_color":
        image[..., :3] = to_srgb(image[..., :3])
    return _over_white(image)


def _over_white(image: np.ndarray) -> np.ndarray:
    return image[..., :3] * image[..., 3:] + 1.0 - image[..., 3:]


def _same_width(rows: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Pad rows [height, width, 3] with white to the widest."""
    width = max(row.shape[1] for row in rows)
    return [
        np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0)), constant_values=1.0)
        for row in rows
    ]
