# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures that run functions and commands in Blender's Python."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
import textwrap

import pytest

from backend.shared.virtual_environments import child_variables

RUNNER = """
import importlib.util, json, os, sys
from pathlib import Path
root, folder = Path(sys.argv[1]), Path(sys.argv[2])
spec = importlib.util.spec_from_file_location("entry", root / "lsrm_blender" / "entry.py")
entry = importlib.util.module_from_spec(spec)
spec.loader.exec_module(entry)
entry.load_package()
import bpy
space = {}
exec((folder / "function.py").read_text("utf-8"), space)
answer = space["function"](**json.loads((folder / "arguments.json").read_text("utf-8")))
(folder / "answer.json").write_text(json.dumps(answer), "utf-8")
os._exit(0)
"""


@pytest.fixture(scope="session")
def blender_variables(tmp_path_factory) -> dict[str, str]:
    """An environment without the user's Blender settings, with this backend."""
    profile = tmp_path_factory.mktemp("profile")
    return child_variables(BLENDER_USER_RESOURCES=str(profile), LSRM_BACKEND=sys.executable)


@pytest.fixture(scope="session")
def in_blender(blender_python, repository, blender_variables, tmp_path_factory):
    """Run a function in Blender's Python, where the repository is the package `lsrm`.

    Only its source is passed, so it imports what it needs; arguments and result are JSON.
    """

    def run(function, **arguments):
        folder = tmp_path_factory.mktemp("function")
        text = textwrap.dedent(inspect.getsource(function))
        (folder / "function.py").write_text(f"{text}\nfunction = {function.__name__}\n", "utf-8")
        (folder / "arguments.json").write_text(json.dumps(arguments, default=str), "utf-8")
        done = subprocess.run(
            [blender_python, "-P", "-c", RUNNER, str(repository), str(folder)],
            env=blender_variables, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-4000:]
        return json.loads((folder / "answer.json").read_text("utf-8"))

    return run


@pytest.fixture(scope="session")
def lsrm_blender(blender_python, repository, blender_variables):
    """Run a command line of `lsrm_blender` in Blender's Python."""
    entry = repository / "lsrm_blender" / "entry.py"

    def run(*arguments, **changes):
        return subprocess.run(
            [str(blender_python), "-P", str(entry), *map(str, arguments)],
            env={**blender_variables, **changes},
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip

    return run


def _make_block(path):
    """Save a .blend with a rotated, scaled and moved block of known material, and a world."""
    import bpy
    from lsrm.lsrm_blender.scene.assets.asset_import import open_empty

    open_empty()
    bpy.ops.mesh.primitive_cube_add(location=(3.0, -2.0, 1.5), rotation=(0.3, -0.5, 1.1))
    block = bpy.context.object
    block.name, block.scale = "Block", (0.5, 0.9, 0.3)
    paint = bpy.data.materials.new("Paint")
    paint.use_nodes = True
    shader = next(node for node in paint.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    shader.inputs["Base Color"].default_value = (0.8, 0.2, 0.05, 1.0)
    shader.inputs["Roughness"].default_value = 0.3
    shader.inputs["Metallic"].default_value = 0.75
    block.data.materials.append(paint)
    world = bpy.data.worlds.new("Gray")
    bpy.context.scene.world = world
    bpy.ops.wm.save_as_mainfile(filepath=path)
    return [list(block.matrix_world @ vertex.co) for vertex in block.data.vertices]


@pytest.fixture(scope="session")
def block(in_blender, tmp_path_factory):
    """A small asset: its file, and its vertices in the world."""
    path = tmp_path_factory.mktemp("assets") / "block and é.blend"
    return path, in_blender(_make_block, path=path)
