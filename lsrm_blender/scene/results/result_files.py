# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Result folders: what they say about the mesh, and about the asset that it was made of."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....backend.shared.cameras import Normalization
from ....backend.shared.capture.json_files import read_capture_json
from ....backend.shared.errors import BadAsset, BadCapture
from ....backend.shared.names.asset_names import name_of_file
from ....backend.shared.names.result_names import MESH, QUADS, REPORT, is_level
from ...jobs.job_folders import CAPTURE, RESULT

if TYPE_CHECKING:
    from collections.abc import Mapping

HOLDS_A_MESH = f"Choose the folder of a finished result: it holds a {MESH}."


@dataclass(frozen=True)
class Anchor:
    """The object whose place a result takes.

    Attributes:
        name: of the object, when it was captured.
        matrix: its world matrix then, as rows.
    """

    name: str
    matrix: list[list[float]]


@dataclass(frozen=True)
class Result:
    """A result folder.

    Attributes:
        mesh: the GLB file, or the .blend with quads.
        report: report.json; empty for a GLB file alone.
        capture: capture.json of the input views; empty if they are missing.
    """

    mesh: Path
    report: dict[str, Any]
    capture: dict[str, Any]

    @property
    def normalization(self) -> Normalization:
        """From the scene's coordinates to those of the mesh."""
        return normalization_of(self.capture)

    @property
    def source(self) -> dict[str, Any]:
        """The captured asset: its `file`, the names of its `objects`, and a `name` for all.

        Empty if the capture is of another program and describes it differently.
        """
        source = self.capture.get("source")
        return source if isinstance(source, dict) else {}

    @property
    def name(self) -> str:
        """What the asset is called."""
        name = self.report.get("name") or self.source.get("name")
        return name if isinstance(name, str) else name_of_file(self.mesh)

    @property
    def level(self) -> str:
        """What names of other meshes of a result end with: `_2000` or `_quads`; else empty."""
        return (
            self.mesh.stem.removeprefix("mesh") if self.is_quads or is_level(self.mesh.name) else ""
        )

    @property
    def is_quads(self) -> bool:
        """Whether the mesh is of quads, in a .blend to append."""
        return self.mesh.name == QUADS

    @property
    def views(self) -> str:
        """The input views, as the report names them; empty if it does not."""
        return str(self.report.get("request", {}).get("views", ""))

    def detached(self) -> Result:
        """The same without the objects that it was made of, for a file that has not got them."""
        return self.renamed(dict.fromkeys((*self.source.get("objects", ()), self._anchor_name), ""))

    def renamed(self, names: Mapping[str, str]) -> Result:
        """The same, made of objects that have other names by now.

        Args:
            names: new names by old ones; empty for objects that are gone.
        """
        if not self.source:
            return self
        objects = [names.get(each, each) for each in self.source.get("objects", ())]
        source = {**self.source, "objects": [each for each in objects if each]}
        if self.anchor is not None:
            name = names.get(self.anchor.name, self.anchor.name)
            source["anchor"] = {"object": name, "matrix": self.anchor.matrix}
            if name and self.anchor.name == source.get("name"):
                source["name"] = name
        return replace(self, capture={**self.capture, "source": source})

    @property
    def _anchor_name(self) -> str:
        return self.anchor.name if self.anchor is not None else ""

    @property
    def anchor(self) -> Anchor | None:
        """The object whose place the result takes; None for photographs and several objects."""
        anchor = self.source.get("anchor")
        return Anchor(anchor["object"], anchor["matrix"]) if isinstance(anchor, dict) else None


def find_result(path: Path) -> Path:
    """The result folder, or file, that a path of the user means.

    A folder around a result is taken for it: of a job, or of all jobs of an object, whose last
    result it then is.

    Raises:
        BadAsset: if there is none.
    """
    if path.is_file():
        return path.parent if path.name in (MESH, REPORT) else path
    if not path.is_dir():
        raise BadAsset(f"There is no folder {path}.", HOLDS_A_MESH)
    numbered = [each / RESULT for each in path.iterdir() if each.name.isdecimal()]
    last_first = sorted(numbered, key=lambda result: int(result.parent.name), reverse=True)
    for folder in (path, path / RESULT, *last_first):
        if (folder / MESH).is_file():
            return folder
    raise BadAsset(f"{path} is no result: it has no {MESH}.", HOLDS_A_MESH)


def read_result(path: Path, views: Path | None = None) -> Result:
    """A result folder, one of its meshes, or a GLB file alone.

    Args:
        path: of the folder or file.
        views: the capture of the input views; None takes it from the report, or beside the result.

    Raises:
        BadAsset: if there is no mesh, or the report is broken.
    """
    found = find_result(path)
    mesh = found / MESH if found.is_dir() else found
    if not (is_gltf(mesh) or mesh.name == QUADS):
        raise BadAsset(f"{mesh} is no result: it is no GLB file.", HOLDS_A_MESH)
    report_file = mesh.with_name(REPORT)
    try:
        report = json.loads(report_file.read_text("utf-8")) if report_file.is_file() else {}
    except (OSError, ValueError) as error:
        raise BadAsset(f"{report_file} is no JSON file.", "Reconstruct again.") from error
    if not isinstance(report, dict):
        raise BadAsset(f"{report_file} is no report.", "Reconstruct again.")
    folder = views or _views_of(report, mesh.parent)
    capture = read_capture_json(folder) if folder is not None else {}
    return Result(mesh, report, capture)


def is_gltf(path: Path) -> bool:
    """Whether a file is of the kind of results, by its name."""
    return path.suffix.lower() in (".glb", ".gltf")


def find_views(path: Path) -> Path:
    """The views that a result was made of: a capture folder or a transforms.json.

    Args:
        path: of the result, as `read_result` takes it.

    Raises:
        BadAsset: if it is no result.
        BadCapture: if its views are not known, or gone.
    """
    result = read_result(path)
    beside = result.mesh.parent.parent / CAPTURE
    known = [Path(result.views)] if result.views else []
    found = next((each for each in (*known, beside) if each.exists()), None)
    if found is None:
        raise BadCapture(
            f"The views that {result.mesh.parent} was made of are gone: {result.views or beside}.",
            "Put them back, or reconstruct again.",
        )
    return found


def _views_of(report: dict[str, Any], folder: Path) -> Path | None:
    """The input views of a result; if they were moved along with it, those beside it."""
    if "views" not in report.get("request", {}):
        return None
    views = Path(report["request"]["views"])
    beside = folder.parent / CAPTURE
    return next((each for each in (views, beside) if each.is_dir()), None)


def normalization_of(capture: dict[str, Any]) -> Normalization:
    """The normalization from the captured scene's coordinates to those of the capture."""
    written = capture.get("normalization")
    if written is None:
        return Normalization((0.0, 0.0, 0.0), 1.0)
    x, y, z = written["center"]
    return Normalization((x, y, z), written["scale"])
