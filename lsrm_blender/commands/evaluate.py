# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `evaluate`: renders at the held-out cameras, scored by the backend."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...backend.shared.capture_format import Capture, read_capture
from ...backend.shared.errors import BackendDied, BadCapture
from ...backend.shared.virtual_environments import ROOT, backend_command, child_variables
from ..scene.asset_import import AssetChoice, open_asset
from ..scene.capture import ENVIRONMENT, REFERENCE_MESH
from ..scene.lighting import EnvironmentLight, make_world
from ..scene.passes import unlit
from ..scene.pixels import read_stored, render_pixels, srgb_with_alpha, write_png
from ..scene.render_settings import RenderSettings, use_cycles, use_true_colors
from ..scene.scene_cameras import Viewpoint, add_camera, point_camera
from ..scene.scene_state import working_scene

if TYPE_CHECKING:
    from collections.abc import Sequence

    import bpy

    from ...backend.shared.progress import Progress


def evaluate(
    views: Path, mesh: Path, shading: str, comparison: Path | None, progress: Progress
) -> dict[str, Any]:
    """Score a mesh against the held-out views of a capture.

    Args:
        views: the capture folder; it must have a `test` folder.
        mesh: any 3D file, in the capture's coordinates.
        shading: "unlit" renders the base color, "lit" uses the light of the capture.
        comparison: the file for the true views and the renders side by side, if any.
        progress: receives every view.

    Returns:
        The backend's scores.

    Raises:
        BadCapture: if the capture has no held-out views.
        BadAsset: if the mesh cannot be opened.
        BackendDied: if the scoring process fails.
    """
    test = views / "test"
    if not test.is_dir():
        raise BadCapture(
            f"{views} has no held-out views.", "Capture again with --test-views 8, for example."
        )
    capture = read_capture(test)
    objects = open_asset(AssetChoice(mesh))
    with tempfile.TemporaryDirectory(prefix="lsrm-evaluate-") as folder:
        renders = Path(folder)
        with working_scene("LSRM evaluate", objects) as scene:
            add_camera(scene)
            use_cycles(scene, RenderSettings())
            use_true_colors(scene)
            if shading == "lit":
                scene.world = make_world(EnvironmentLight(str(views / ENVIRONMENT)))
                render_views(scene, capture, renders, progress)
            else:
                with unlit(scene, "base_color"):
                    render_views(scene, capture, renders, progress)
        if comparison is not None:
            write_comparison(capture, renders, comparison)
        return _scores(renders, test, mesh)


def render_views(
    scene: bpy.types.Scene, capture: Capture, folder: Path, progress: Progress
) -> None:
    """Render a working scene at the cameras of a capture to `<view>.png`, straight alpha."""
    for index, frame in enumerate(capture.frames):
        progress.report("evaluate", index / len(capture.frames), f"view {frame.name}")
        point_camera(scene, Viewpoint(frame.name, frame.intrinsics, frame.camera_to_world))
        write_png(folder / f"{frame.name}.png", srgb_with_alpha(render_pixels(scene)))


def _scores(renders: Path, test: Path, mesh: Path) -> dict[str, Any]:
    """Scores of renders by the backend: Blender's Python has not the libraries for them."""
    command = backend_command("metrics", str(renders), str(test.absolute()), "--json")
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


def write_comparison(capture: Capture, renders: Path, path: Path) -> None:
    """Store one image with a row for every view: the true one left, the render right."""
    rows = []
    for frame in capture.frames:
        pair = (read_stored(frame.image_path), read_stored(renders / f"{frame.name}.png"))
        rows.append(np.concatenate([_over_white(image) for image in pair], axis=1))
    write_png(path, np.concatenate(_same_width(rows), axis=0))


def _over_white(image: np.ndarray) -> np.ndarray:
    return image[..., :3] * image[..., 3:] + 1.0 - image[..., 3:]


def _same_width(rows: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Pad rows [height, width, 3] with white to the widest."""
    width = max(row.shape[1] for row in rows)
    return [
        np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0)), constant_values=1.0)
        for row in rows
    ]
