# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `serve`: a second Blender, without a window, that captures, imports and relights.

Rendering and importing in the artist's own Blender would block it, and a broken file could crash
it.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy
import numpy as np
from mathutils import Matrix

from ...backend.shared.cameras import Intrinsics
from ...backend.shared.rpc.server import LOG_FORMAT, Pipe, Server
from ..capture_choices import SOFT_BOXES, SPHERE
from ..jobs.mesh_check import check_mesh
from ..scene.assets.asset_import import open_asset, open_empty
from ..scene.assets.asset_objects import AssetChoice
from ..scene.cameras.scene_cameras import Framing, Viewpoint
from ..scene.capture.capture import capture as capture_asset
from ..scene.capture.settings import CaptureSettings
from ..scene.lighting import EnvironmentLight, chosen_light
from ..scene.products.exports import export_levels, export_quads
from ..scene.relight import renders
from ..scene.relight.light_sheet import write_small
from ..scene.render_settings import RenderSettings
from ..scene.results.result_files import read_result
from ..scene.results.result_import import store_import
from . import self_check
from .result_views import own_light, render_result, result_scene

if TYPE_CHECKING:
    from ...backend.shared.progress import Progress


def serve() -> int:
    """Serve one parent until it closes the pipe."""
    # Blender prints thousands of lines about a render on stdout, and errors on stderr.
    pipe = Pipe.take_standard_streams(silent=True)
    logging.basicConfig(format=LOG_FORMAT, level=logging.INFO, force=True)
    methods = {
        "capture": capture,
        "examine": examine,
        "prepare": prepare,
        "relight": relight,
        "render_result": render_at_views,
        "export": export,
        "quads": quads,
    }
    return Server(pipe, methods, describe).serve()


def describe() -> dict[str, Any]:
    """The version of this Blender."""
    return {"version": bpy.app.version_string}


def capture(params: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Asset to capture folder.

    Args:
        params: `asset` and `output`; `objects` limits the capture to these names; `source`
            replaces entries of `source` in capture.json; `poses` has world matrices of objects by
            name, as rows, that replace those of the file; `views`, `placement`, `size`, `samples`,
            `seed`, `environment`, `environment_strength`, `environment_rotation`,
            `field_of_view`, `test_views`, `passes` as in the command `capture`.
        progress: of the job.

    Returns:
        The content of capture.json.

    Raises:
        LsrmError: as `capture` does.
    """
    asset = Path(params["asset"])
    progress.report("open", 0.0, asset.name)
    opened = open_asset(AssetChoice(asset, names=tuple(params.get("objects") or ())))
    poses = {name: Matrix(rows) for name, rows in params.get("poses", {}).items()}
    opened = replace(
        opened,
        source={**opened.source, **(params.get("source") or {})},
        poses={**opened.poses, **poses},
    )
    progress.report("open", 1.0)
    settings = CaptureSettings(
        views=params.get("views", 16),
        placement=params.get("placement", SPHERE),
        test_views=params.get("test_views", 0),
        framing=Framing(params.get("size", 256), params.get("field_of_view", 40.0)),
        render=RenderSettings(
            params.get("samples", 32), params.get("seed", 0), threads=params.get("threads", 0)
        ),
        environment=chosen_light(
            params.get("environment") or SOFT_BOXES,
            params.get("environment_strength", 1.0),
            params.get("environment_rotation", 0.0),
        ),
        passes=params.get("passes", False),
    )
    return capture_asset(opened, Path(params["output"]), settings, progress)


def examine(_params: dict[str, Any], _progress: Progress) -> dict[str, Any]:
    """What this Blender can do, as `findings` of the command `doctor`."""
    open_empty()
    return {"findings": [finding.to_dict() for finding in self_check.findings()]}


def prepare(params: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Result folder to a .blend that another Blender appends fast.

    Args:
        params: `result` and `output`.
        progress: of the job.

    Returns:
        The path of the .blend.

    Raises:
        LsrmError: if the folder is no result, or the .blend cannot be written.
    """
    folder, blend = Path(params["result"]), Path(params["output"])
    progress.report("import", 0.0, folder.name)
    check_mesh(folder / "mesh.glb")
    open_empty()
    store_import(read_result(folder), blend)
    progress.report("import", 1.0)
    return {"output": str(blend)}


def relight(params: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Objects of a .blend to pictures under one light after the other.

    Args:
        params: `asset`, the .blend; `objects`, their names; `output`, a folder; `lights`, each with
            its `source`, `strength` and `rotation`; `frames`, `video` and `sheet` as in
            `RelightSettings`; `size`, `samples` and `transparent`; `small`, the file for a small
            contact sheet, or nothing.
        progress: of the job.

    Returns:
        The paths of the pictures.

    Raises:
        LsrmError: as `renders.relight` does.
    """
    asset = Path(params["asset"])
    progress.report("open", 0.0, asset.name)
    opened = open_asset(AssetChoice(asset, names=tuple(params["objects"])))
    progress.report("open", 1.0)
    settings = renders.RelightSettings(
        tuple(EnvironmentLight(**light) for light in params["lights"]),
        render=RenderSettings(params["samples"], transparent=params["transparent"]),
        framing=Framing(params["size"], renders.FIELD_OF_VIEW),
        frames=params["frames"],
        video=params["video"],
        sheet=params["sheet"],
    )
    made = renders.relight(opened.objects, Path(params["output"]), settings, progress)
    if made.sheet is not None and params["small"]:
        write_small(made.sheet, Path(params["small"]))
    return made.to_dict()


def render_at_views(params: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Result folder to images at the cameras of views, lit as they are.

    Args:
        params: `result`; `views`, a capture folder or transforms.json; `cameras`, each with `name`,
            `camera_to_world` and `intrinsics`; `output`, a folder.
        progress: of the job.

    Returns:
        `lit`, whether the result is shown under the light of the views.

    Raises:
        LsrmError: if the result cannot be opened.
    """
    result, views = read_result(Path(params["result"])), Path(params["views"])
    light = own_light(result, views if views.is_dir() else views.parent)
    viewpoints = [
        Viewpoint(
            camera["name"],
            Intrinsics(**camera["intrinsics"]),
            np.array(camera["camera_to_world"], np.float64),
        )
        for camera in params["cameras"]
    ]
    progress.report("open", 0.0, result.name)
    with result_scene(result.mesh) as scene:
        progress.report("open", 1.0)
        render_result(scene, viewpoints, light, Path(params["output"]), progress)
    return {"lit": light is not None}


def export(params: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Result folder to other formats, and pictures under other lights.

    Args:
        params: `result` and `output`; `formats` and `relight`, the lights, which may be empty;
            `samples`, `seed` and `threads` of the pictures.
        progress: of the job.

    Returns:
        The `files`, relative to the output.

    Raises:
        LsrmError: as `export_levels` does.
    """
    lights = tuple(EnvironmentLight(source) for source in params["relight"])
    render = RenderSettings(params["samples"], params["seed"], threads=params["threads"])
    pictures = renders.RelightSettings(lights, render=render) if lights else None
    folder, output = Path(params["result"]), Path(params["output"])
    formats = [each.upper() for each in params["formats"]]
    return {"files": export_levels(folder, output, formats, pictures, progress)}


def quads(params: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Result folder to a mesh of quads.

    Args:
        params: `result`, `output` and `formats`.
        progress: of the job.

    Returns:
        The `files`, relative to the output.

    Raises:
        LsrmError: if there are no quads of it.
    """
    folder, output = Path(params["result"]), Path(params["output"])
    formats = [each.upper() for each in params["formats"]]
    return {"files": export_quads(folder, output, formats, progress)}
