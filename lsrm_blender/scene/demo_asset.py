# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo's object: a tin toy rocket, built by Blender's mesh operators.

It has features that are hard to reconstruct: letters, checks, metal, a thin antenna and fins, a
hollow nozzle and sunk windows.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING

import bmesh
import bpy
import numpy as np
from mathutils import Matrix, Vector

from ...backend.shared import cameras
from .cameras.directions import PORTRAIT_AZIMUTH, portrait_direction
from .demo_materials import Palette, make_palette, make_sky

if TYPE_CHECKING:
    from collections.abc import Sequence

# Control points (radius, height) of the cubic that the body's outline follows, tail to tip.
OUTLINE = ((0.27, 0.30), (0.56, 0.62), (0.48, 1.12), (0.0, 1.54))
RADIUS, HEIGHT = 0.81, 1.84
"""Of the whole rocket, fins and antenna included, in units of the scene."""

SEGMENTS = 112
NOSE_HEIGHT, BAND_HEIGHT, BAND_HALF = 1.2, 0.5, 0.07
WINDOW_HEIGHT, WINDOW_RADIUS = 1.0, 0.115
LETTERS_HEIGHT = 0.72
# Towards the first camera of a capture, so that the letters can be read in view 0.
FRONT = PORTRAIT_AZIMUTH
BACK = FRONT + math.pi


def build(scene: bpy.types.Scene) -> bpy.types.Object:
    """Put the rocket into a scene, with its own light and a camera.

    Returns:
        The empty object that is the parent of all parts.
    """
    root = add_rocket(scene)
    scene.world = make_sky()
    _add_camera(scene)
    return root


def add_rocket(scene: bpy.types.Scene) -> bpy.types.Object:
    """Put the rocket into a scene, standing on its origin, and leave the rest of it alone.

    Returns:
        The empty object that is the parent of all parts.
    """
    palette = make_palette()
    collection = bpy.data.collections.new("Rocket")
    scene.collection.children.link(collection)
    root = bpy.data.objects.new("Rocket", None)
    collection.objects.link(root)
    for part in _parts(palette):
        collection.objects.link(part)
        part.parent = root
    return root


def _parts(palette: Palette) -> list[bpy.types.Object]:
    body = _body(palette)
    windows = [part for side in (FRONT, BACK) for part in _window(side, palette)]
    rings = [
        _ring("Nose ring", NOSE_HEIGHT, 0.022, palette.brass),
        _ring("Upper band", BAND_HEIGHT + BAND_HALF, 0.014, palette.brass),
        _ring("Lower band", BAND_HEIGHT - BAND_HALF, 0.014, palette.brass),
    ]
    fins = [_fin(BACK + turn * 2.0 * math.pi / 3.0, palette.red) for turn in range(3)]
    letters = [
        _letters("LSRM", LETTERS_HEIGHT, FRONT, palette.letters),
        _letters("No.7", LETTERS_HEIGHT, BACK, palette.letters),
    ]
    return [body, *windows, *rings, *fins, *letters, *_nozzle(palette), *_antenna(palette)]


def _bezier(control: Sequence[tuple[float, float]], count: int) -> np.ndarray:
    """Points [count, 2] of a cubic from its four control points."""
    s = np.linspace(0.0, 1.0, count)[:, None]
    weights = np.hstack([(1 - s) ** 3, 3 * s * (1 - s) ** 2, 3 * s**2 * (1 - s), s**3])
    return weights @ np.array(control)


@functools.cache
def _fine_outline() -> np.ndarray:
    """Points of the body's outline, once: the letters look them up thousands of times."""
    return _bezier(OUTLINE, 400)


def _radius_at(height: float | np.ndarray) -> np.ndarray:
    """The body's radius at a height."""
    outline = _fine_outline()
    return np.interp(height, outline[:, 1], outline[:, 0])


def _on_body(height: float, azimuth: float, outside: float = 0.0) -> Vector:
    """A point of the body's surface, or a little outside of it."""
    radius = float(_radius_at(height)) + outside
    return Vector((radius * math.cos(azimuth), radius * math.sin(azimuth), height))


def _outward(height: float, azimuth: float) -> Vector:
    """The body's normal."""
    slope = float(_radius_at(height + 1e-2) - _radius_at(height - 1e-2)) / 2e-2
    return Vector((math.cos(azimuth), math.sin(azimuth), -slope)).normalized()


def _object(
    name: str, shape: bmesh.types.BMesh, materials: Sequence[bpy.types.Material]
) -> bpy.types.Object:
    """A smooth object from a shape, which is freed."""
    mesh = bpy.data.meshes.new(name)
    bmesh.ops.recalc_face_normals(shape, faces=shape.faces)
    shape.to_mesh(mesh)
    shape.free()
    for material in materials:
        mesh.materials.append(material)
    mesh.shade_smooth()
    return bpy.data.objects.new(name, mesh)


def _lathe(profile: np.ndarray) -> bmesh.types.BMesh:
    """Turn an open profile (radius, height) [n, 2] about z; u goes around, v along."""
    shape = bmesh.new()
    uv_layer = shape.loops.layers.uv.new("UVMap")
    rings = [_circle(shape, radius, height) for radius, height in profile.tolist()]
    for row in range(len(rings) - 1):
        for column in range(SEGMENTS):
            corners = [(row, column), (row, column + 1), (row + 1, column + 1), (row + 1, column)]
            face = shape.faces.new([rings[r][c % SEGMENTS] for r, c in corners])
            for loop, (r, c) in zip(face.loops, corners, strict=True):
                loop[uv_layer].uv = (c / SEGMENTS, profile[r, 1])
    return shape


def _circle(shape: bmesh.types.BMesh, radius: float, height: float) -> list[bmesh.types.BMVert]:
    angles = 2.0 * np.pi * np.arange(SEGMENTS) / SEGMENTS
    return [shape.verts.new((radius * math.cos(a), radius * math.sin(a), height)) for a in angles]


def _body(palette: Palette) -> bpy.types.Object:
    """The hull: cream, with a checkered band, and red at the nose."""
    profile = _bezier(OUTLINE, 96)
    profile[-1, 0] = 1e-3
    shape = _lathe(profile)
    bmesh.ops.holes_fill(shape, edges=shape.edges)
    for face in shape.faces:
        height = face.calc_center_median().z
        in_band = abs(height - BAND_HEIGHT) < BAND_HALF
        face.material_index = 2 if height > NOSE_HEIGHT else int(in_band)
    return _object("Body", shape, (palette.cream, palette.checks, palette.red))


def _torus(major: float, minor: float) -> bmesh.types.BMesh:
    """A ring about z."""
    angles = np.linspace(0.0, 2.0 * np.pi, 25)
    return _lathe(np.stack([major + minor * np.cos(angles), minor * np.sin(angles)], axis=1))


def _ring(name: str, height: float, minor: float, metal: bpy.types.Material) -> bpy.types.Object:
    """A metal ring around the body."""
    shape = _torus(float(_radius_at(height)), minor)
    bmesh.ops.translate(shape, vec=(0.0, 0.0, height), verts=shape.verts)
    return _object(name, shape, (metal,))


def _window(azimuth: float, palette: Palette) -> list[bpy.types.Object]:
    """A brass ring and, sunk into it, a hollow pane."""
    center = _on_body(WINDOW_HEIGHT, azimuth, 0.012)
    rotation = _outward(WINDOW_HEIGHT, azimuth).to_track_quat("Z", "Y").to_matrix().to_4x4()
    radii = np.linspace(WINDOW_RADIUS, 1e-3, 16)
    # A paraboloid: level with the ring at its rim, almost at the body's skin in the middle.
    pane = _lathe(np.stack([radii, 0.03 * (radii / WINDOW_RADIUS) ** 2 - 0.002], axis=1))
    parts = [
        _object("Window ring", _torus(WINDOW_RADIUS, 0.028), (palette.brass,)),
        _object("Window pane", pane, (palette.glass,)),
    ]
    for part in parts:
        part.matrix_world = Matrix.Translation(center) @ rotation
    return parts


def _fin(azimuth: float, paint: bpy.types.Material) -> bpy.types.Object:
    """A flat fin with rounded edges, standing on the ground."""
    upper = _bezier([(0.30, 0.74), (0.62, 0.66), (0.80, 0.34), (0.78, 0.0)], 14)
    lower = _bezier([(0.66, 0.0), (0.64, 0.24), (0.48, 0.30), (0.26, 0.36)], 12)
    outline = [*upper.tolist(), *lower.tolist()]
    shape = bmesh.new()
    sides = [
        shape.faces.new([shape.verts.new((x, y, z)) for x, z in outline]) for y in (-0.03, 0.03)
    ]
    bmesh.ops.bridge_loops(shape, edges=[edge for side in sides for edge in side.edges])
    rim = [edge for side in sides for edge in side.edges]
    bmesh.ops.recalc_face_normals(shape, faces=shape.faces)
    bmesh.ops.bevel(shape, geom=rim, offset=0.02, segments=4, profile=0.5, affect="EDGES")
    bmesh.ops.rotate(shape, matrix=Matrix.Rotation(azimuth, 3, "Z"), verts=shape.verts)
    return _object("Fin", shape, (paint,))


def _nozzle(palette: Palette) -> list[bpy.types.Object]:
    """A hollow bell under the tail, red inside."""
    outside = np.array([(0.17, 0.32), (0.15, 0.27), (0.18, 0.19), (0.25, 0.12), (0.225, 0.115)])
    inside = np.array([(0.225, 0.115), (0.15, 0.2), (0.09, 0.24), (1e-3, 0.25)])
    return [
        _object("Nozzle", _lathe(outside), (palette.steel,)),
        _object("Nozzle inside", _lathe(inside), (palette.red,)),
    ]


def _antenna(palette: Palette) -> list[bpy.types.Object]:
    """A thin rod with a ball on its tip."""
    rod = bmesh.new()
    bmesh.ops.create_cone(
        rod, cap_ends=True, segments=24, radius1=0.02, radius2=0.014, depth=0.26,
        matrix=Matrix.Translation((0.0, 0.0, 1.64)),
    )  # fmt: skip
    ball = bmesh.new()
    bmesh.ops.create_uvsphere(
        ball, u_segments=32, v_segments=20, radius=0.045,
        matrix=Matrix.Translation((0.0, 0.0, 1.79)),
    )  # fmt: skip
    return [_object("Antenna", rod, (palette.steel,)), _object("Ball", ball, (palette.brass,))]


def _letters(
    text: str, height: float, azimuth: float, paint: bpy.types.Material
) -> bpy.types.Object:
    """Raised letters, bent around the body."""
    curve = bpy.data.curves.new("Letters", "FONT")
    curve.body, curve.size, curve.extrude = text, 0.27, 0.014
    curve.align_x, curve.align_y = "CENTER", "CENTER"
    # No `offset` to embolden them: Blender then fills the notches of the M.
    source = bpy.data.objects.new("Letters", curve)
    shape = bmesh.new()
    flat = source.to_mesh()
    shape.from_mesh(flat)
    source.to_mesh_clear()
    _refine(shape)
    for vertex in shape.verts:
        across, up, out = vertex.co
        level = height + up
        turn = azimuth + across / float(_radius_at(height))
        vertex.co = _on_body(level, turn, out + 0.006)
    bpy.data.objects.remove(source)
    bpy.data.curves.remove(curve)
    letters = _object(text, shape, (paint,))
    letters.data.shade_flat()
    return letters


def _refine(shape: bmesh.types.BMesh) -> None:
    """Cut the faces of letters small enough to be bent."""
    for _ in range(3):
        bmesh.ops.triangulate(shape, faces=shape.faces)
        long = [edge for edge in shape.edges if edge.calc_length() > 0.05]
        bmesh.ops.subdivide_edges(shape, edges=long, cuts=1)
    bmesh.ops.triangulate(shape, faces=shape.faces)


def _add_camera(scene: bpy.types.Scene) -> None:
    """Add a camera that looks slightly down, for square images."""
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.data.lens = 70.0
    middle = np.array((0.0, 0.0, 0.9))
    pose = cameras.look_at(middle + 4.6 * portrait_direction(), middle)
    camera.matrix_world = Matrix(pose.tolist())
    scene.collection.objects.link(camera)
    scene.camera = camera
    scene.render.resolution_x = scene.render.resolution_y = 1080
