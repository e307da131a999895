# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The handlers of the commands: parsed arguments to settings, and settings to work.

Every handler takes the parsed arguments and a progress, and returns the document of `--json`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

from ...backend.shared.errors import BadAsset, BadCapture
from ...backend.shared.exit_codes import DONE, FAILED
from ...backend.shared.terminal import say
from ..scene import demo_asset as demo
from ..scene.assets.asset_import import open_asset, open_empty, open_file
from ..scene.assets.asset_objects import AssetChoice
from ..scene.blend_files import save_blend
from ..scene.cameras.scene_cameras import Framing
from ..scene.capture.capture import capture as capture_asset
from ..scene.capture.settings import CaptureSettings
from ..scene.import_views import is_capture, show_views
from ..scene.lighting import EnvironmentLight, chosen_light, hdr_images
from ..scene.relight import renders
from ..scene.relight.relit_scene import set_environment, switch_lamps
from ..scene.render_settings import RenderSettings
from ..scene.results.originals import originals_of, results_in
from ..scene.results.result_files import is_gltf, read_result
from ..scene.results.result_import import import_result
from . import evaluate as evaluating
from . import self_check
from .result_views import own_light

if TYPE_CHECKING:
    import argparse

    from ...backend.shared.progress import Progress


def capture(arguments: argparse.Namespace, progress: Progress) -> dict[str, Any]:
    """Asset to capture folder."""
    environment = chosen_light(
        arguments.environment, arguments.environment_strength, arguments.environment_rotation
    )
    settings = CaptureSettings(
        views=arguments.views,
        placement=arguments.placement,
        test_views=arguments.test_views,
        framing=Framing(arguments.size, arguments.field_of_view, arguments.distance),
        render=RenderSettings(arguments.samples, arguments.seed, threads=arguments.threads),
        environment=environment,
        relight=tuple(EnvironmentLight(_absolute(source)) for source in arguments.relight),
        passes=arguments.passes,
        normalize=arguments.normalize,
        panorama_width=arguments.environment_size,
    )
    choice = AssetChoice(
        arguments.asset, arguments.object, arguments.collection, up_axis=arguments.up_axis
    )
    info = capture_asset(open_asset(choice), arguments.output, settings, progress)
    for warning in info["warnings"]:
        say(f"Warning: {warning}")
    return info


def _absolute(environment: str) -> str:
    """The absolute path of an environment light that is a file; its name if it is none."""
    path = Path(environment)
    return str(path.absolute()) if path.is_file() else environment


def import_(arguments: argparse.Namespace, _progress: Progress) -> dict[str, Any]:
    """Result, or posed views, to .blend."""
    if is_capture(arguments.result):
        return _import_views(arguments)
    result = read_result(arguments.result, arguments.views)
    _open_scene(arguments.into)
    pack = not arguments.textures_as_files
    imported = import_result(result, bpy.context.scene, pack=pack)
    save_blend(arguments.output)
    if any(originals_of(made) for made in imported):
        say("The original is hidden; show it and hide the result to see the other.")
    return {
        "scene": str(arguments.output.absolute()),
        "objects": [made.name for made in imported],
        "source": result.source,
    }


def _import_views(arguments: argparse.Namespace) -> dict[str, Any]:
    """Posed views to a .blend with their cameras and images."""
    _open_scene(arguments.into)
    made = show_views(arguments.result.absolute(), bpy.context.scene)
    save_blend(arguments.output)
    cameras = [camera.name for camera in made]
    return {"scene": str(arguments.output.absolute()), "cameras": cameras}


def relight(arguments: argparse.Namespace, progress: Progress) -> dict[str, Any]:
    """Result to images under other lights."""
    environments = tuple(
        EnvironmentLight(source, arguments.strength, arguments.rotation)
        for source in (*arguments.environment, *_images_in(arguments.environment_folder))
    )
    settings = renders.RelightSettings(
        environments,
        render=RenderSettings(
            arguments.samples,
            arguments.seed,
            transparent=arguments.hidden,
            threads=arguments.threads,
        ),
        framing=Framing(arguments.size, renders.FIELD_OF_VIEW),
        frames=arguments.turntable,
        video=arguments.video,
        sheet=arguments.sheet,
        from_view=_from_view(arguments.from_view),
    )
    result = read_result(arguments.result)
    _open_scene(arguments.scene)
    scene = bpy.context.scene
    switch_lamps(scene, on=not arguments.lamps_off)
    shown = results_in(scene) or import_result(result, scene)
    if arguments.scene is None:
        made = renders.relight(shown, arguments.output, settings, progress)
    else:
        made = renders.relight_scene(scene, shown, arguments.output, settings, progress)
    if arguments.save is not None:
        set_environment(scene, environments[-1])
        save_blend(arguments.save)
    return made.to_dict()


def _images_in(folder: Path | None) -> list[str]:
    """The HDR images of a folder, if one is chosen.

    Raises:
        BadAsset: if it has none.
    """
    if folder is None:
        return []
    images = [str(image) for image in hdr_images(folder)]
    if not images:
        raise BadAsset(f"{folder} has no HDR images.", "Choose a folder with .exr or .hdr files.")
    return images


def _open_scene(path: Path | None) -> None:
    """Open a file, or an empty scene."""
    if path is None:
        open_empty()
    else:
        open_file(path)


def _from_view(text: str | None) -> tuple[Path, int] | None:
    """The capture folder and the index in a text VIEWS:INDEX.

    Raises:
        BadCapture: if the text is not of that form.
    """
    if text is None:
        return None
    folder, _, index = text.rpartition(":")
    if not folder or not index.isdecimal():
        raise BadCapture(
            f"{text!r} is no view of a capture.", "Write it as VIEWS:INDEX, for example views:3."
        )
    return Path(folder), int(index)


def evaluate(arguments: argparse.Namespace, progress: Progress) -> dict[str, Any]:
    """Scores on the held-out views, printed and as JSON."""
    mesh, kind, light = arguments.mesh, arguments.shading, None
    if mesh is None and arguments.result.is_file() and not is_gltf(arguments.result):
        mesh = arguments.result
    if mesh is None:
        result = read_result(arguments.result)
        mesh = result.mesh
        light = own_light(result, arguments.views) if kind == "auto" else None
        kind = "lit" if light else kind
    kind = "unlit" if kind == "auto" else kind
    shading = evaluating.Shading(kind, arguments.environment, arguments.flip, light)
    scores = evaluating.evaluate(
        arguments.views, mesh, shading, arguments.write_comparison, progress
    )
    for name, value in scores["mean"].items():
        say(f"{name:>23} {value:8.3f}")
    return scores


def render_views(arguments: argparse.Namespace, progress: Progress) -> dict[str, Any]:
    """Renders at the cameras of views, as OpenEXR."""
    from .render_views import ViewRenders
    from .render_views import render_views as render_all

    render = RenderSettings(arguments.samples, arguments.seed, threads=arguments.threads)
    other_file = arguments.result.is_file() and not is_gltf(arguments.result)
    mesh = arguments.result if other_file else read_result(arguments.result).mesh
    settings = ViewRenders(render, arguments.size)
    images = render_all(mesh, arguments.cameras, arguments.output, settings, progress)
    return {"images": [str(image) for image in images]}


def demo_asset(arguments: argparse.Namespace, _progress: Progress) -> dict[str, Any]:
    """The demo's object as .blend."""
    open_empty()
    demo.build(bpy.context.scene)
    save_blend(arguments.output)
    return {"asset": str(arguments.output.absolute())}


def doctor(_arguments: argparse.Namespace, _progress: Progress) -> dict[str, Any]:
    """Checks of this Blender, printed as a list."""
    findings = self_check.findings()
    for finding in findings:
        say(str(finding))
    return {
        "findings": [finding.to_dict() for finding in findings],
        "exit_code": self_check.exit_code(findings),
    }


def render_dataset(arguments: argparse.Namespace, progress: Progress) -> dict[str, Any]:
    """Assets to a data set."""
    from .render_dataset import render_dataset as render

    return render(arguments, progress)


def convert(arguments: argparse.Namespace, progress: Progress) -> dict[str, Any]:
    """Assets to results."""
    from .convert import convert_all

    summary = convert_all(arguments, progress)
    if arguments.exit_zero and summary.get("exit_code") == FAILED:
        return {**summary, "exit_code": DONE}
    return summary
