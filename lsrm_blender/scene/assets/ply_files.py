# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Blender's importer leaves out of PLY files of scans: textures, odd names, far coordinates.

MeshLab and openMVS name textures in comments and store texture coordinates with each face; others
call their colors `diffuse_red`; surveys have coordinates in double precision.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, BinaryIO

import bpy
import numpy as np

from .far_coordinates import VERTICES_LOOKED_AT, far_offset

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2",
    "ushort": "u2", "uint16": "u2", "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4",
    "float": "f4", "float32": "f4", "double": "f8", "float64": "f8",
}  # fmt: skip
BYTE_ORDERS = {"binary_little_endian": "<", "binary_big_endian": ">"}
# Names of vertex properties, and those under which Blender's importer knows them.
KNOWN_NAMES = {
    "diffuse_red": "red", "diffuse_green": "green", "diffuse_blue": "blue",
    "texture_u": "s", "texture_v": "t", "u": "s", "v": "t",
}  # fmt: skip
AXES = ("x", "y", "z")


@dataclass(frozen=True)
class Property:
    """A property of an element.

    Attributes:
        name: of the property.
        type: of its values, as numpy writes it.
        count_type: of the length of a list; None if the property is one value.
    """

    name: str
    type: str
    count_type: str | None = None


@dataclass(frozen=True)
class Element:
    """An element of a PLY file.

    Attributes:
        name: such as "vertex" or "face".
        count: the number of rows.
        properties: of each row, in order.
    """

    name: str
    count: int
    properties: tuple[Property, ...]

    def has(self, *names: str) -> bool:
        """Whether all these properties are there."""
        return set(names) <= {each.name for each in self.properties}


@dataclass(frozen=True)
class Header:
    """The header of a PLY file.

    Attributes:
        lines: without line ends.
        encoding: "ascii", or a key of BYTE_ORDERS.
        elements: in the order of the file.
        textures: the files named in comments.
        size: of the header, in bytes.
    """

    lines: tuple[str, ...]
    encoding: str
    elements: tuple[Element, ...]
    textures: tuple[str, ...]
    size: int

    def element(self, name: str) -> Element | None:
        """The element of a name, if there is one."""
        return next((each for each in self.elements if each.name == name), None)


def read_header(path: Path) -> Header:
    """The header of a PLY file.

    Raises:
        ValueError: if it is none.
    """
    lines: list[str] = []
    with path.open("rb") as file:
        while not lines or lines[-1] != "end_header":
            line = file.readline(10_000)
            if not line or (not lines and line.strip() != b"ply"):
                raise ValueError(f"{path.name} has no PLY header")
            lines.append(line.decode("utf-8", "replace").strip())
        size = file.tell()
    encoding, textures = "ascii", []
    elements: list[tuple[str, int, list[Property]]] = []
    for words in (line.split() for line in lines):
        if words[:1] == ["format"]:
            encoding = words[1]
        elif [word.lower() for word in words[:2]] == ["comment", "texturefile"]:
            textures.append(" ".join(words[2:]))
        elif words[:1] == ["element"]:
            elements.append((words[1], int(words[2]), []))
        elif words[:1] == ["property"] and elements:
            elements[-1][2].append(_property(words))
    found = tuple(Element(name, count, tuple(each)) for name, count, each in elements)
    return Header(tuple(lines), encoding, found, tuple(textures), size)


def _property(words: list[str]) -> Property:
    if words[1] == "list":
        return Property(words[4], TYPES.get(words[3], "f4"), TYPES.get(words[2], "u1"))
    return Property(words[2], TYPES.get(words[1], "f4"))


def renamed_lines(header: Header) -> list[str]:
    """The lines of a header with the names that Blender's importer knows."""
    element, lines = "", []
    vertex = header.element("vertex")
    for line in header.lines:
        words = line.split()
        if words[:1] == ["element"]:
            element = words[1]
        known = KNOWN_NAMES.get(words[-1]) if words[:1] == ["property"] else None
        if known and element == "vertex" and vertex is not None and not vertex.has(known):
            words[-1] = known
            lines.append(" ".join(words))
        else:
            lines.append(line)
    return lines


def _row_type(element: Element, order: str) -> np.dtype | None:
    """The numpy type of a row of a binary element; None if it has lists."""
    if any(each.count_type for each in element.properties):
        return None
    return np.dtype([(each.name, order + each.type) for each in element.properties])


def prepare(path: Path, header: Header, folder: Path) -> tuple[Path, np.ndarray | None]:
    """The file to open instead of a PLY file, and the offset [3] subtracted from its vertices.

    Args:
        path: of the file.
        header: of the file.
        folder: for a copy, if one is needed.
    """
    lines = renamed_lines(header)
    offset = _offset(path, header, VERTICES_LOOKED_AT)
    if offset is not None:
        offset = _offset(path, header, None)
    if tuple(lines) == header.lines and offset is None:
        return path, None
    copy = folder / path.name
    with path.open("rb") as source, copy.open("wb") as target:
        target.write(("\n".join(lines) + "\n").encode())
        source.seek(header.size)
        if offset is not None:
            _copy_moved(source, target, header, offset)
        while block := source.read(1 << 20):
            target.write(block)
    return copy, offset


def _vertices_first(header: Header) -> Element | None:
    """The vertices of a file that begins with them, in double precision or as text."""
    vertex = header.elements[0] if header.elements else None
    if vertex is None or vertex.name != "vertex" or not vertex.has(*AXES):
        return None
    double = all(each.type == "f8" for each in vertex.properties if each.name in AXES)
    plain = not any(each.count_type for each in vertex.properties)
    return vertex if plain and (double or header.encoding == "ascii") else None


def _offset(path: Path, header: Header, count: int | None) -> np.ndarray | None:
    """The offset [3] by the first vertices of a file that has more digits than float32."""
    vertex = _vertices_first(header)
    if vertex is None:
        return None
    vertex = replace(vertex, count=min(count or vertex.count, vertex.count))
    try:
        with path.open("rb") as file:
            file.seek(header.size)
            rows = _read_rows(file, vertex, header)
        return far_offset(np.stack([rows[axis].astype(np.float64) for axis in AXES], axis=1))
    except ValueError:  # broken: the importer says so
        return None


def _read_rows(file: BinaryIO, element: Element, header: Header) -> np.ndarray:
    """The rows of an element without lists, as a structured array; text stays text."""
    names = [each.name for each in element.properties]
    if header.encoding == "ascii":
        lines = [tuple(file.readline().split()) for _ in range(element.count)]
        whole = [line for line in lines if len(line) == len(names)]
        return np.array(whole, dtype=[(name, "S32") for name in names])
    order = BYTE_ORDERS[header.encoding]
    row = np.dtype([(each.name, order + each.type) for each in element.properties])
    return np.frombuffer(file.read(element.count * row.itemsize), row)


def _copy_moved(source: BinaryIO, target: BinaryIO, header: Header, offset: np.ndarray) -> None:
    """Copy the vertices, moved; the rest of the file is left to the caller."""
    rows = _read_rows(source, header.elements[0], header).copy()
    for axis, shift in zip(AXES, offset, strict=True):
        moved = rows[axis].astype(np.float64) - shift
        rows[axis] = [f"{x:.9g}" for x in moved] if header.encoding == "ascii" else moved
    if header.encoding == "ascii":
        target.writelines(b" ".join(row) + b"\n" for row in rows.tolist())
    else:
        target.write(rows.tobytes())


def add_textures(path: Path, header: Header, mesh: bpy.types.Mesh) -> list[str]:
    """Give an imported mesh the textures that comments of its file name.

    Returns:
        Sentences about what could not be done.
    """
    if not header.textures:
        return []
    faces = header.element("face")
    if faces is not None and faces.has("texcoord"):
        if not _set_face_coordinates(path, header, faces, mesh):
            return [f"The texture coordinates of {path.name} do not belong to its faces."]
    elif not mesh.uv_layers:
        return [f"{path.name} names a texture but has no texture coordinates."]
    mesh.materials.clear()
    for name in header.textures:
        mesh.materials.append(_textured_material(path.parent / name))
    return []


def _set_face_coordinates(path: Path, header: Header, faces: Element, mesh: bpy.types.Mesh) -> bool:
    """Store the texture coordinates of the corners of all faces, if they fit the mesh."""
    rows = _face_rows(path, header)
    corners = np.array([polygon.loop_total for polygon in mesh.polygons])
    if [len(row["texcoord"]) for row in rows] != (2 * corners).tolist():
        return False
    layer = mesh.uv_layers[0] if mesh.uv_layers else mesh.uv_layers.new(name="UVMap")
    coordinates = np.concatenate([row["texcoord"] for row in rows])
    layer.data.foreach_set("uv", coordinates.astype(np.float32))
    if faces.has("texnumber"):
        numbers = np.array([int(row["texnumber"]) for row in rows])
        mesh.polygons.foreach_set("material_index", np.clip(numbers, 0, len(header.textures) - 1))
    return True


def _face_rows(path: Path, header: Header) -> Sequence[Mapping[str, np.ndarray]] | np.ndarray:
    """The faces of a file, each with its properties by name; none if vertices have lists."""
    order = BYTE_ORDERS.get(header.encoding)
    with path.open("rb") as file:
        file.seek(header.size)
        for element in header.elements:
            if element.name == "face":
                break
            row = _row_type(element, order or "<")
            if order is None:
                for _ in range(element.count):
                    file.readline()
            elif row is None:
                return []
            else:
                file.seek(element.count * row.itemsize, 1)
        if order is None:
            return [_text_row(file.readline(), element) for _ in range(element.count)]
        rows = _uniform_rows(file, element, order)
        if rows is not None:
            return rows
        return [_binary_row(file, element, order) for _ in range(element.count)]


def _text_row(line: bytes, element: Element) -> dict[str, np.ndarray]:
    values = np.array(line.split(), dtype=np.float64)
    row, start = {}, 0
    for each in element.properties:
        if each.count_type:
            end = start + 1 + int(values[start])
            row[each.name], start = values[start + 1 : end], end
        else:
            row[each.name], start = values[start], start + 1
    return row


def _uniform_rows(file: BinaryIO, element: Element, order: str) -> np.ndarray | None:
    """All rows of a binary element at once, if their lists are as long as those of the first."""
    start = file.tell()
    lengths = {name: len(v) for name, v in _binary_row(file, element, order).items() if v.ndim}
    file.seek(start)
    fields: list[tuple[str, str] | tuple[str, str, tuple[int]]] = []
    for each in element.properties:
        if each.count_type:
            fields.append((f"count of {each.name}", order + each.count_type))
            fields.append((each.name, order + each.type, (lengths[each.name],)))
        else:
            fields.append((each.name, order + each.type))
    row = np.dtype(fields)
    data = file.read(element.count * row.itemsize)
    file.seek(start)
    if len(data) < element.count * row.itemsize:
        return None
    rows = np.frombuffer(data, row)
    same = all((rows[f"count of {name}"] == length).all() for name, length in lengths.items())
    return rows if same else None


def _binary_row(file: BinaryIO, element: Element, order: str) -> dict[str, np.ndarray]:
    row = {}
    for each in element.properties:
        count = 1
        if each.count_type:
            size = np.dtype(order + each.count_type)
            count = int(np.frombuffer(file.read(size.itemsize), size)[0])
        kind = np.dtype(order + each.type)
        values = np.frombuffer(file.read(kind.itemsize * count), kind)
        row[each.name] = values if each.count_type else values[0]
    return row


def _textured_material(path: Path) -> bpy.types.Material:
    """A material that shows a texture, which is pink if its file is missing."""
    if path.is_file():
        image = bpy.data.images.load(str(path), check_existing=True)
    else:
        image = bpy.data.images.new(path.name, 1, 1)
        image.source = "FILE"
        image.filepath = str(path)
    material = bpy.data.materials.new(path.stem)
    if material.node_tree is None:
        material.use_nodes = True
    tree = material.node_tree
    texture = tree.nodes.new("ShaderNodeTexImage")
    texture.image = image
    shader = next(node for node in tree.nodes if node.type == "BSDF_PRINCIPLED")
    tree.links.new(texture.outputs["Color"], shader.inputs["Base Color"])
    return material
