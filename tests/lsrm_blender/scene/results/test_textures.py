# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Textures of imported results: their color spaces, packed into the .blend or as files."""

from __future__ import annotations

import json

import numpy as np
import pytest

from backend.mesh.glb import Textures, write_glb
from backend.mesh.triangle_mesh import TriangleMesh, UnwrappedMesh
from backend.shared.cameras import Normalization


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    """A result as the backend writes it, with all textures."""
    folder = tmp_path_factory.mktemp("textures") / "result"
    folder.mkdir()
    corners = np.array([(0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)])
    normals, uv = np.tile((0.0, 0.0, 1.0), (3, 1)), corners[:, :2]
    mesh = UnwrappedMesh(TriangleMesh(corners, np.array([(0, 1, 2)])), normals, uv, 8)
    maps = {"roughness": 0.6, "metallic": 0.2}
    textures = Textures(
        np.full((8, 8, 3), (0.8, 0.4, 0.1), np.float32),
        **{name: np.full((8, 8), value, np.float32) for name, value in maps.items()},
        normal=np.full((8, 8, 3), (0.5, 0.5, 1.0), np.float32),
    )
    unit = Normalization((0.0, 0.0, 0.0), 1.0)
    write_glb(folder / "mesh.glb", mesh, textures, unit, name="Chair")
    (folder / "report.json").write_text(json.dumps({"name": "Chair"}), "utf-8")
    return folder


def _images(path):
    """What the material of the result in a .blend reads, by its sockets."""
    import bpy

    bpy.ops.wm.open_mainfile(filepath=path)
    shown = next(each for each in bpy.data.objects if "lsrm_report" in each)
    tree = shown.data.materials[0].node_tree
    principled = next(node for node in tree.nodes if node.type == "BSDF_PRINCIPLED")

    def source(socket):
        """The image behind a socket."""
        node = socket.links[0].from_node
        while node.type != "TEX_IMAGE":
            inputs = [each for each in node.inputs if each.is_linked]
            node = inputs[0].links[0].from_node
        return node.image

    found = {}
    for name in ("Base Color", "Roughness", "Metallic", "Normal"):
        image = source(principled.inputs[name])
        found[name] = {
            "space": image.colorspace_settings.name,
            "packed": image.packed_file is not None,
            "path": image.filepath,
            "pixel": list(image.pixels[:3]),
        }
    return found


def imported(result, lsrm_blender, in_blender, blend, *options):
    """The images of a result that the command has imported."""
    done = lsrm_blender("import", result, "-o", blend, *options)
    assert done.returncode == 0, done.stderr
    return in_blender(_images, path=blend)


PIXELS = {
    "Base Color": (0.8, 0.4, 0.1),
    "Roughness": (1.0, 0.6, 0.2),
    "Metallic": (1.0, 0.6, 0.2),
    "Normal": (0.5, 0.5, 1.0),
}


def test_packed_or_as_files(result, lsrm_blender, in_blender, tmp_path):
    """Only the base color is a color; that, and the pixels, are the same packed and as files."""
    packed = imported(result, lsrm_blender, in_blender, tmp_path / "packed.blend")
    assert not (result / "textures").exists()
    assert all(image["packed"] for image in packed.values())
    options = (tmp_path / "files.blend", "--textures-as-files")
    files = imported(result, lsrm_blender, in_blender, *options)
    assert not any(image["packed"] for image in files.values())
    for images in (packed, files):
        spaces = {name: image["space"] for name, image in images.items()}
        assert spaces.pop("Base Color") == "sRGB"
        assert set(spaces.values()) == {"Non-Color"}
        for name, image in images.items():
            assert image["pixel"] == pytest.approx(PIXELS[name], abs=0.5 / 255 + 1e-6)
    written = {path.name for path in (result / "textures").iterdir()}
    assert len(written) == 3
    assert all(image["path"].rsplit("/", 1)[-1] in written for image in files.values())
    edited = min((result / "textures").iterdir())
    edited.write_bytes(b"edited")
    imported(result, lsrm_blender, in_blender, *options)
    assert edited.read_bytes() == b"edited"
    assert len(list((result / "textures").iterdir())) == 4
