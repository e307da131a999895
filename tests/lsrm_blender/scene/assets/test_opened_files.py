# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of scanners, surveys and older programs open as their makers see them."""

from __future__ import annotations

import base64
import json
import struct

import numpy as np
import pytest
from PIL import Image

CORNERS = np.array([(x, y, z) for z in (-1, 1) for y in (-1, 1) for x in (-1, 1)], float)
QUADS = ((0, 2, 3, 1), (4, 5, 7, 6), (0, 1, 5, 4), (1, 3, 7, 5), (3, 2, 6, 7), (2, 0, 4, 6))
UV = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
FAR = np.array((447312.0, 5411876.0, 312.0))

ASCII_FBX = """; FBX 7.4.0 project file
FBXHeaderExtension:  {
	FBXHeaderVersion: 1003
	FBXVersion: 7400
}
GlobalSettings:  {
	Version: 1000
	Properties70:  {
		P: "UpAxis", "int", "Integer", "",2
		P: "UnitScaleFactor", "double", "Number", "",100
	}
}
Objects:  {
	Geometry: 100, "Geometry::Box", "Mesh" {
		Vertices: *24 {
			a: %s
		}
		PolygonVertexIndex: *24 {
			a: %s
		}
		GeometryVersion: 124
	}
	Model: 200, "Model::Box", "Mesh" {
		Version: 232
	}
}
Connections:  {
	C: "OO",200,0
	C: "OO",100,200
}
"""


def obj_text(colors=None, material="", offset=(0.0, 0.0, 0.0)):
    """A cube as OBJ, with vertex colors, a material and an offset if they are given."""
    lines = [f"mtllib {material}.mtl\nusemtl paint"] if material else []
    for index, corner in enumerate(CORNERS + offset):
        color = f" {colors[index % len(colors)]}" if colors else ""
        lines.insert(index, f"v {corner[0]:.3f} {corner[1]:.3f} {corner[2]:.3f}{color}")
    lines += ["f " + " ".join(str(index + 1) for index in quad) for quad in QUADS]
    return "\n".join(lines) + "\n"


def ply_bytes(encoding, *, corners=(), texture="scan.png", offset=(0.0, 0.0, 0.0)):
    """A cube as PLY; `corners` are "face" or "vertex", where its texture coordinates stand."""
    kind = "double" if np.any(offset) else "float"
    header = ["ply", f"format {encoding} 1.0", f"comment TextureFile {texture}" if corners else ""]
    header += [f"element vertex {len(CORNERS)}", *(f"property {kind} {axis}" for axis in "xyz")]
    header += ["property float texture_u", "property float texture_v"] * ("vertex" in corners)
    header += [f"element face {len(QUADS)}", "property list uchar int vertex_indices"]
    header += ["property list uchar float texcoord"] * ("face" in corners)
    body = []
    for index, corner in enumerate(CORNERS + offset):
        values = [("f8" if kind == "double" else "f4", value) for value in corner]
        values += [("f4", value) for value in UV[index % 4]] * ("vertex" in corners)
        body.append(values)
    for quad in QUADS:
        values = [("u1", 4), *(("i4", index) for index in quad)]
        if "face" in corners:
            values += [("u1", 8), *(("f4", value) for pair in UV for value in pair)]
        body.append(values)
    text = "\n".join(line for line in [*header, "end_header"] if line) + "\n"
    if encoding == "ascii":
        rows = (" ".join(f"{value:.10g}" for _, value in row) for row in body)
        return (text + "\n".join(rows) + "\n").encode()
    order = "<" if "little" in encoding else ">"
    packed = (np.array(value, order + t).tobytes() for row in body for t, value in row)
    return text.encode() + b"".join(packed)


def colored_ply():
    """A cube as PLY whose colors are named as some programs name them."""
    rows = [f"{x:g} {y:g} {z:g} 200 30 30" for x, y, z in CORNERS]
    rows += ["4 " + " ".join(map(str, quad)) for quad in QUADS]
    names = [f"property uchar diffuse_{name}" for name in ("red", "green", "blue")]
    header = ["ply", "format ascii 1.0", "element vertex 8"]
    header += [*(f"property float {axis}" for axis in "xyz"), *names]
    header += ["element face 6", "property list uchar int vertex_indices", "end_header"]
    return "\n".join([*header, *rows]) + "\n"


def stl_text(offset):
    """A cube as STL in text."""
    lines = ["solid cube"]
    for a, b, c, d in QUADS:
        for corners in ((a, b, c), (a, c, d)):
            lines += ["facet normal 0 0 0", "outer loop"]
            for x, y, z in (CORNERS + offset)[list(corners)]:
                lines.append(f"  vertex {x:.3f} {y:.3f} {z:.3f}")
            lines += ["endloop", "endfacet"]
    return "\n".join([*lines, "endsolid"]) + "\n"


def gltf_document(**more):
    """A triangle as glTF with an embedded buffer."""
    data = struct.pack("<9f", 0, 0, 0, 1, 0, 0, 0, 1, 0)
    uri = "data:application/octet-stream;base64," + base64.b64encode(data).decode()
    accessor = {
        "bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3",
        "min": [0, 0, 0], "max": [1, 1, 0],
    }  # fmt: skip
    return {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "material": 0}]}],
        "materials": [{}],
        "accessors": [accessor],
        "bufferViews": [{"buffer": 0, "byteLength": 36}],
        "buffers": [{"byteLength": 36, "uri": uri}],
        **more,
    }


def texture_of(uri):
    """The parts of a glTF document with one texture."""
    pbr = {"baseColorTexture": {"index": 0}}
    return {
        "materials": [{"pbrMetallicRoughness": pbr}],
        "textures": [{"source": 0}],
        "images": [{"uri": uri}],
    }


def needing(extension):
    """The parts of a glTF document that cannot be read without an extension."""
    return {"extensionsUsed": [extension], "extensionsRequired": [extension]}


USDA = """#usda 1.0
(
    defaultPrim = "World"
    upAxis = "Z"
)
def Xform "World"
{
    def Mesh "Tri" {
        int[] faceVertexCounts = [3]
        int[] faceVertexIndices = [0, 1, 2]
        point3f[] points = [(0, 0, 0), (1, 0, 0), (0, 1, 0)]
    }
    def Xform "Wheel" (prepend references = @gone/wheel.usda@) {}
}
"""


def write_files(folder):
    """All files of this module."""
    faces = [
        index if corner < 3 else -index - 1 for quad in QUADS for corner, index in enumerate(quad)
    ]
    numbers = ",".join(f"{value:g}" for value in CORNERS.ravel())
    (folder / "text.fbx").write_text(ASCII_FBX % (numbers, ",".join(map(str, faces))))
    (folder / "old.fbx").write_bytes(b"Kaydara FBX Binary  \0\x1a\0" + struct.pack("<I", 6100))
    Image.new("RGB", (4, 4), (20, 40, 220)).save(folder / "scan.png")
    red = ("0.9 0.1 0.1", "0.8 0.2 0.1")
    (folder / "colors-white.obj").write_text(obj_text(red, "white"))
    (folder / "white.mtl").write_text("newmtl paint\nKd 1 1 1\n")
    (folder / "colors-no-mtl.obj").write_text(obj_text(red, "nowhere"))
    (folder / "colors-green.obj").write_text(obj_text(red, "green"))
    (folder / "green.mtl").write_text("newmtl paint\nKd 0.1 0.8 0.1\n")
    (folder / "plain.obj").write_text(obj_text(None, "white"))
    (folder / "far.obj").write_text(obj_text(None, "textured", FAR))
    (folder / "textured.mtl").write_text("newmtl paint\nmap_Kd -bm 1 scan.png\n")
    (folder / "far-colored.obj").write_text(obj_text(red, "", FAR))
    (folder / "far.stl").write_text(stl_text(FAR))
    (folder / "near.obj").write_text(obj_text(None, "", (100.0, 0.0, 0.0)))
    (folder / "windows.obj").write_text(obj_text(None, "windows"))
    (folder / "windows.mtl").write_text("newmtl paint\nmap_Kd C:\\tex\\wood.jpg\n")
    for name in ("ascii", "binary_little_endian", "binary_big_endian"):
        (folder / f"{name}-face.ply").write_bytes(ply_bytes(name, corners=("face",)))
        (folder / f"{name}-far.ply").write_bytes(ply_bytes(name, offset=FAR))
    (folder / "vertex.ply").write_bytes(ply_bytes("ascii", corners=("vertex",)))
    gone = ply_bytes("ascii", corners=("face",), texture="gone.png")
    (folder / "gone-texture.ply").write_bytes(gone)
    (folder / "diffuse.ply").write_text(colored_ply())
    documents = {
        "texture-gone.gltf": gltf_document(**texture_of("tex/base.png")),
        "texture-there.gltf": gltf_document(**texture_of("scan.png")),
        "meshopt.gltf": gltf_document(**needing("EXT_meshopt_compression")),
        "ktx2.gltf": gltf_document(**needing("KHR_texture_basisu")),
    }
    for name, document in documents.items():
        (folder / name).write_text(json.dumps(document))
    (folder / "parts.usda").write_text(USDA)


def _opened(paths):
    """What is seen of each file after it is opened: corners, materials, warnings or an error."""
    from pathlib import Path

    import bpy
    import numpy as np
    from lsrm.backend.shared.errors import LsrmError
    from lsrm.lsrm_blender.scene.assets.asset_import import open_asset
    from lsrm.lsrm_blender.scene.assets.asset_objects import AssetChoice

    def base_color(material):
        shader = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
        links = shader.inputs["Base Color"].links
        if not links:
            return "plain"
        node = links[0].from_node
        return node.image.name if node.type == "TEX_IMAGE" else node.type

    def facts(path):
        try:
            asset = open_asset(AssetChoice(path))
        except LsrmError as error:
            return error.to_dict()
        shown = asset.objects[0]
        mesh = shown.data
        corners = np.array([shown.matrix_world @ vertex.co for vertex in mesh.vertices])
        uv = [list(each.uv) for each in mesh.uv_layers[0].data] if mesh.uv_layers else []
        return {
            "low": corners.min(axis=0).tolist(),
            "high": corners.max(axis=0).tolist(),
            "base_colors": [base_color(each) for each in mesh.materials if each is not None],
            "uv": uv,
            "moved_by": asset.source.get("moved_by"),
            "files": [Path(name).name for name in asset.source["files"]],
            "warnings": " ".join(asset.warnings),
            "has_fbx_import": "fbx_import" in dir(bpy.ops.wm),
        }

    return {Path(path).name: facts(Path(path)) for path in paths}


@pytest.fixture(scope="module")
def opened(in_blender, tmp_path_factory):
    """What is seen of each file of this module, by name."""
    folder = tmp_path_factory.mktemp("files")
    write_files(folder)
    suffixes = (".fbx", ".obj", ".ply", ".stl", ".gltf", ".usda")
    paths = sorted(path for path in folder.iterdir() if path.suffix in suffixes)
    return in_blender(_opened, paths=paths)


def test_text_fbx_is_opened_or_refused_with_a_way_out(opened):
    """An FBX file stored as text opens where Blender can; else the message says what to export."""
    seen = opened["text.fbx"]
    if "code" in seen:
        assert "binary FBX" in seen["remedy"]
    else:
        assert np.allclose(np.subtract(seen["high"], seen["low"]), 2.0, atol=1e-5)
    assert opened["old.fbx"]["code"] == "BAD_ASSET"


def test_vertex_colors_show_beside_plain_gray_materials(opened):
    """White materials and those whose library is gone show the colors; a colored one stays."""
    assert opened["colors-white.obj"]["base_colors"] == ["VERTEX_COLOR"]
    assert opened["colors-no-mtl.obj"]["base_colors"] == ["VERTEX_COLOR"]
    assert opened["colors-green.obj"]["base_colors"] == ["plain"]
    assert opened["plain.obj"]["base_colors"] == ["plain"]
    assert opened["diffuse.ply"]["base_colors"] == ["VERTEX_COLOR"]


@pytest.mark.parametrize(
    ("name", "colors"),
    [("far.obj", ["scan.png"]), ("far-colored.obj", ["VERTEX_COLOR"]), ("far.stl", [])],
)
def test_far_text_is_moved_to_the_origin(opened, name, colors):
    """A cube in UTM coordinates keeps its corners, its texture and colors, and says the offset."""
    seen = opened[name]
    assert np.allclose(seen["low"], -1.0, atol=1e-6)
    assert np.allclose(seen["high"], 1.0, atol=1e-6)
    assert np.allclose(seen["moved_by"], -FAR)
    assert "far from the origin" in seen["warnings"]
    assert seen["base_colors"] == colors


def test_near_obj_is_not_moved(opened):
    """A hundred units away is near: nothing is moved and nothing is said."""
    assert opened["near.obj"]["moved_by"] is None
    assert opened["near.obj"]["warnings"] == ""
    assert opened["near.obj"]["high"][0] == pytest.approx(101.0)


@pytest.mark.parametrize("name", ["ascii", "binary_little_endian", "binary_big_endian"])
def test_far_ply_is_moved_to_the_origin(opened, name):
    """A PLY with more digits than float32 is moved, in every encoding."""
    seen = opened[f"{name}-far.ply"]
    assert np.allclose(seen["low"], -1.0, atol=1e-6)
    assert np.allclose(seen["moved_by"], -FAR)


@pytest.mark.parametrize("name", ["ascii-face", "binary_little_endian-face", "vertex"])
def test_ply_textures_are_shown(opened, name):
    """Textures in comments show, with coordinates of faces or of vertices."""
    seen = opened[f"{name}.ply"]
    assert seen["base_colors"] == ["scan.png"]
    assert "scan.png" in seen["files"]
    expected = UV[:] * 6 if "face" in name else [UV[index % 4] for quad in QUADS for index in quad]
    assert np.allclose(seen["uv"], expected)


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("windows.obj", "wood.jpg"),
        ("colors-no-mtl.obj", "nowhere.mtl"),
        ("texture-gone.gltf", "base.png"),
        ("gone-texture.ply", "gone.png"),
        ("parts.usda", "wheel.usda"),
    ],
)
def test_missing_parts_are_named(opened, name, missing):
    """Textures, libraries of materials and referenced layers that are gone stand in warnings."""
    assert missing in opened[name]["warnings"]
    assert any(missing in file for file in opened[name]["files"])
    assert opened["texture-there.gltf"]["warnings"] == ""


@pytest.mark.parametrize(
    ("name", "extension"),
    [("meshopt.gltf", "EXT_meshopt_compression"), ("ktx2.gltf", "KHR_texture_basisu")],
)
def test_unknown_extensions_are_refused_with_a_way_out(opened, name, extension):
    """A compressed glTF that Blender cannot read says how to unpack it."""
    assert opened[name]["code"] == "BAD_ASSET"
    assert extension in opened[name]["message"]
    assert "gltf-transform" in opened[name]["remedy"]
