# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Opening 3D files of every kind."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from ....backend.shared.errors import BadAsset
from . import far_coordinates, ply_files
from .asset_objects import Asset, AssetChoice, choose
from .external_files import missing_file_warnings, used_files
from .vertex_colors import show_vertex_colors

if TYPE_CHECKING:
    import numpy as np

# Formats without an axis convention of their own, and the one that most writers follow.
USUAL_UP_AXIS = {".obj": "Y", ".ply": "Z", ".stl": "Z"}
SUFFIXES = (
    ".blend", ".glb", ".gltf", ".obj", ".fbx", ".ply", ".stl", ".usd", ".usda", ".usdc", ".usdz",
)  # fmt: skip
BINARY_FBX = b"Kaydara FBX Binary"
OLDEST_FBX = 7100
"""The oldest version that Blender's first importer of FBX reads."""

EXTENSION = re.compile(r"\b(?:EXT|KHR|MSFT|ADOBE|FB)_\w+")


@dataclass(frozen=True)
class OpenedFile:
    """What is to be said about a file that was opened.

    Attributes:
        warnings: for the user.
        moved_by: (x, y, z) that was subtracted from all vertices, in the axes of the file.
    """

    warnings: tuple[str, ...] = ()
    moved_by: tuple[float, float, float] | None = None


def open_asset(choice: AssetChoice) -> Asset:
    """Replace the open file by an asset.

    Returns:
        What to capture, with everything that is missing or left out.

    Raises:
        BadAsset: if the file is missing, of an unknown kind, broken, or has nothing to capture.
    """
    opened = open_file(choice.path, choice.up_axis)
    asset = choose(bpy.context.scene, choice)
    source = {**asset.source, "files": used_files(choice.path)}
    if opened.moved_by is not None:
        source["moved_by"] = [-shift for shift in opened.moved_by]
    warnings = (*opened.warnings, *missing_file_warnings(choice.path), *asset.warnings)
    return replace(asset, source=source, warnings=warnings)


def open_file(path: Path, up_axis: str = "auto") -> OpenedFile:
    """Replace the open file by a 3D file of any kind.

    Raises:
        BadAsset: if the file is missing, of an unknown kind, or broken.
    """
    if not path.is_file():
        raise BadAsset(f"There is no file {path}.", "Check the path.")
    if path.suffix.lower() not in SUFFIXES:
        known = " ".join(SUFFIXES)
        raise BadAsset(f"{path.name} is no 3D file that LSRM opens.", f"It opens {known}.")
    try:
        return _load(path, up_axis)
    except (RuntimeError, ValueError, KeyError, TypeError, OSError) as error:
        # Blender's importers are Python add-ons: a broken file may raise any of these.
        lines = [line for line in str(error).splitlines() if line.strip()]
        reasons = [line.strip() for line in lines if not line.startswith("Location:")]
        reason = reasons[-1] if reasons else "no reason given"
        raise BadAsset(
            f"Blender cannot open {path.name}: {reason.rstrip('.')}.", _remedy(reason)
        ) from error


def _remedy(reason: str) -> str:
    """What to do about a file that an importer refuses."""
    extension = EXTENSION.search(reason)
    if extension is None:
        return "Check the file."
    return (
        f"Write it without {extension.group()}: export it uncompressed, or unpack it with "
        "gltf-transform (https://gltf-transform.dev)."
    )


def open_empty() -> None:
    """Replace the open file by an empty one."""
    # Not read_factory_settings: that would unload this very extension.
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True, load_ui=False)


def _load(path: Path, up_axis: str) -> OpenedFile:
    suffix = path.suffix.lower()
    if suffix == ".blend":
        bpy.ops.wm.open_mainfile(filepath=str(path), load_ui=False, use_scripts=False)
        return OpenedFile()
    open_empty()
    up = USUAL_UP_AXIS.get(suffix, "Z") if up_axis == "auto" else up_axis
    loaders = {".obj": _load_text, ".stl": _load_text, ".ply": _load_ply, ".fbx": _load_fbx}
    load = loaders.get(suffix, _load_other)
    opened = load(path, up)
    for mesh in bpy.data.meshes:
        show_vertex_colors(mesh)
    return opened


def _axes(up_axis: str) -> dict[str, str]:
    """The arguments of an importer for a file whose +y or +z points up."""
    if up_axis == "Z":
        return {"forward_axis": "Y", "up_axis": "Z"}
    return {"forward_axis": "NEGATIVE_Z", "up_axis": "Y"}


def _load_text(path: Path, up_axis: str) -> OpenedFile:
    """Load an .obj or .stl file, moved to the origin if it is text and lies far from it."""
    operator = bpy.ops.wm.stl_import if path.suffix.lower() == ".stl" else bpy.ops.wm.obj_import
    offset = far_coordinates.text_offset(path)
    if offset is None:
        operator(filepath=str(path), **_axes(up_axis))
        return OpenedFile()
    with tempfile.TemporaryDirectory(prefix="lsrm-asset-") as folder:
        moved = far_coordinates.write_moved(path, offset, Path(folder))
        operator(filepath=str(moved), **_axes(up_axis))
    return _moved(offset)


def _load_ply(path: Path, up_axis: str) -> OpenedFile:
    header = ply_files.read_header(path)
    with tempfile.TemporaryDirectory(prefix="lsrm-asset-") as folder:
        prepared, offset = ply_files.prepare(path, header, Path(folder))
        bpy.ops.wm.ply_import(filepath=str(prepared), **_axes(up_axis))
    opened = OpenedFile() if offset is None else _moved(offset)
    for mesh in bpy.data.meshes:
        failures = ply_files.add_textures(path, header, mesh)
        opened = replace(opened, warnings=(*opened.warnings, *failures))
    return opened


def _moved(offset: np.ndarray) -> OpenedFile:
    x, y, z = offset.tolist()
    shift = ", ".join(f"{-each:.9g}" for each in (x, y, z))
    sentence = f"The asset lies far from the origin, so it was moved by ({shift})."
    return OpenedFile((sentence,), (x, y, z))


def _load_fbx(path: Path, _up_axis: str) -> OpenedFile:
    """Load an FBX file by the importer that reads its kind.

    Raises:
        BadAsset: if this Blender has none.
    """
    with path.open("rb") as file:
        start = file.read(27)
    version = int.from_bytes(start[23:27], "little")
    if start.startswith(BINARY_FBX) and version >= OLDEST_FBX:
        bpy.ops.import_scene.fbx(filepath=str(path))
        return OpenedFile()
    if "fbx_import" not in dir(bpy.ops.wm):
        kind = f"of version {version}" if start.startswith(BINARY_FBX) else "stored as text"
        raise BadAsset(
            f"{path.name} is an FBX file {kind}, which this Blender does not read.",
            "Export it as binary FBX 7.4, or use Blender 4.5 or newer.",
        )
    bpy.ops.wm.fbx_import(filepath=str(path))
    return OpenedFile()


def _load_other(path: Path, _up_axis: str) -> OpenedFile:
    if path.suffix.lower() in (".glb", ".gltf"):
        bpy.ops.import_scene.gltf(filepath=str(path))
    else:
        bpy.ops.wm.usd_import(filepath=str(path))
    return OpenedFile()
