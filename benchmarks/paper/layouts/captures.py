# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder of captures, as `python3 -m lsrm_blender capture` writes them with `--test-views`.

Each object has a folder, which is the capture or holds it as `views/` or `capture/`. Results are
judged by the held-out views in `test/`: as they were captured, or relit, as `--relight` adds them.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from backend.shared.capture.capture import REFERENCE_MESH, TRANSFORMS_NAMES
from backend.shared.capture.json_files import read_capture_json
from backend.shared.capture.reader import read_capture
from backend.shared.errors import BadCapture

from .scene import Scene, Target

if TYPE_CHECKING:
    from collections.abc import Iterator

PLACES = (".", "views", "capture")


def read_novel_views(folder: Path, _scratch: Path) -> Scene:
    """An object with its held-out views under the light of the capture.

    Raises:
        BadCapture: if it is no capture, or has no held-out views.
        LsrmError: as `read_capture` raises.
    """
    views = _capture_in(folder)
    frames = read_capture(views / "test").frames
    return _scene(views, tuple(Target(frame) for frame in frames))


def read_relit_views(folder: Path, _scratch: Path) -> Scene:
    """An object with its held-out views under other lights.

    Raises:
        BadCapture: if it is no capture, or its held-out views were not relit, or by a light that is
            not on this computer.
        LsrmError: as `read_capture` raises.
    """
    views = _capture_in(folder)
    return _scene(views, tuple(_relit(views)))


def _scene(views: Path, targets: tuple[Target, ...]) -> Scene:
    mesh = views / "test" / REFERENCE_MESH
    return Scene(
        inputs=read_capture(views).frames,
        targets=targets,
        reference_mesh=mesh if mesh.is_file() else None,
        origin=views,
    )


def _capture_in(folder: Path) -> Path:
    """The capture of an object.

    Raises:
        BadCapture: if there is none, or it has no held-out views.
    """
    places = (folder / place for place in PLACES)
    views = next((each for each in places if _has_cameras(each)), None)
    if views is None or not (views / "test").is_dir():
        what = "no capture" if views is None else "no held-out views"
        raise BadCapture(
            f"{folder} has {what}.",
            "Capture the object with --test-views 12, for example, or remove the folder.",
        )
    return views


def _has_cameras(folder: Path) -> bool:
    return any((folder / name).is_file() for name in TRANSFORMS_NAMES)


def _relit(views: Path) -> Iterator[Target]:
    """The held-out views under each light that `capture.json` names."""
    lights = read_capture_json(views).get("relit")
    if not isinstance(lights, dict) or not lights:
        raise BadCapture(
            f"The held-out views of {views} were not relit.",
            "Capture the object with --relight HDRI, for example.",
        )
    frames = read_capture(views / "test").frames
    for name, source in lights.items():
        if Path(source).is_absolute() and not Path(source).is_file():
            raise BadCapture(
                f"The light {source} of {views} is not on this computer.",
                "Put it there, or capture the object again.",
            )
        for frame in frames:
            relit = frame.with_image(views / "test" / name / f"{frame.name}.png")
            yield Target(replace(relit, name=f"{name}_{frame.name}"), light=str(source))
