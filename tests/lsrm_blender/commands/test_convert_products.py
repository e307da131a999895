# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""`convert` with levels of detail, formats, lights and quads: of a cube, and of many real files."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from backend.shared.virtual_environments import ROOT, child_variables
from tests.small_batch import CUBE, QUICK

LIGHT = "softboxes"
OPTIONS = ("--formats=glb,usd,obj", f"--relight={LIGHT}")
HUGE = 700
"""Rows and columns of vertices of the huge asset."""


@pytest.fixture
def start(blender_python, blender_variables):
    """A function that starts the real command in a Python with bpy."""
    entry = str(ROOT / "lsrm_blender" / "entry.py")
    variables = child_variables(LSRM_BACKEND=sys.executable, OMP_NUM_THREADS="1")
    del variables["PYTHONPATH"]

    def run(*arguments):
        command = [str(blender_python), "-P", entry, "convert", *map(str, arguments), *QUICK]
        command += [*OPTIONS, "--faces=400,120", "--json"]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(command, env=variables, **pipes)

    return run


def outcome(process, seconds):
    """States and warnings of the items, and the exit code."""
    out, err = process.communicate(timeout=seconds)
    assert out, err
    items = json.loads(out)["items"]
    return {each["name"]: (each["state"], each["warnings"]) for each in items}, process.returncode


def check_products(folder):
    """Every file that the status names is there: two levels in three formats, and the picture."""
    status = json.loads((folder / "status.json").read_text("utf-8"))
    made = status["result"]["products"]
    assert all((folder / name).stat().st_size > 0 for name in made)
    report = json.loads((folder / "result" / "report.json").read_text("utf-8"))
    assert [level["file"] for level in report["levels"]] == ["mesh.glb", "mesh_120.glb"]
    meshes = [Path(name).suffix for name in made if name.startswith("exports/")]
    assert [meshes.count(suffix) for suffix in (".glb", ".usdc", ".obj")] == [2, 2, 2], made
    assert f"exports/relit/{LIGHT}.png" in made
    return made


def read_obj(path):
    """The corners of the faces of an OBJ file, and whether it has texture coordinates."""
    lines = path.read_text("utf-8").splitlines()
    corners = [len(line.split()) - 1 for line in lines if line.startswith("f ")]
    return corners, any(line.startswith("vt ") for line in lines)


@pytest.mark.slow
def test_a_cube_in_all_formats_and_as_quads(start, tmp_path):
    """All files are there, and the quads are quads with textures."""
    (tmp_path / "cube.obj").write_text(CUBE)
    states, code = outcome(start(tmp_path / "cube.obj", "-o", tmp_path / "out", "--quads"), 240)
    assert states == {"cube": ("done", [])}
    assert code == 0
    folder = tmp_path / "out" / "cube"
    made = check_products(folder)
    assert {"quads/cube_quads.blend", "quads/cube_quads.obj"} <= set(made)
    corners, has_layout = read_obj(folder / "quads" / "cube_quads.obj")
    assert corners.count(4) > 0.9 * len(corners)
    assert has_layout
    pictures = [name for name in made if name.startswith("quads/") and name.endswith(".png")]
    assert len(pictures) >= 3
    assert not any("cube_quads_cube_quads" in name for name in pictures)
    corners, _ = read_obj(folder / "exports" / "cube_120" / "cube_120.obj")
    assert len(corners) <= 120


def test_an_unknown_light_is_refused_before_any_work(start, tmp_path):
    """Its name is in the message, and there is no output folder."""
    (tmp_path / "cube.obj").write_text(CUBE)
    process = start(tmp_path / "cube.obj", "-o", tmp_path / "out", "--relight", "moonshine")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert json.loads(out)["error"]["code"] == "BAD_ASSET"
    assert "moonshine" in err
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.timeout(5400)
@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_real_objects_and_bad_files_survive_a_kill(start, shared, tmp_path):
    """Twelve objects, a huge one, odd and equal names, broken files: killed, and resumed."""
    assets, output = tmp_path / "assets", tmp_path / "out"
    shutil.copytree(shared / "data" / "objects", assets)
    (assets / "again").mkdir()
    shutil.copy(assets / "pbr_BoomBox.glb", assets / "again" / "pbr_BoomBox.glb")
    (assets / "pbr_BoomBox.obj").write_text(CUBE)
    (assets / "name with spaces é.obj").write_text(CUBE)
    (assets / "corrupt.glb").write_bytes(b"glTF\x02\0\0\0\xff\xff\0\0")
    (assets / "empty.glb").touch()
    write_huge(assets / "huge.ply")

    process = start(assets, "-o", output)
    finished = 0
    for line in process.stderr:
        finished += " done in " in line
        if finished >= 2 and line.startswith("export"):
            break
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    before = {path: path.stat().st_mtime_ns for path in output.glob("*/status.json")}
    assert len(before) >= 2

    states, code = outcome(start(assets, "-o", output), 3600)
    failed = {name for name, (state, _) in states.items() if state == "failed"}
    assert failed == {"corrupt", "empty"}
    assert code == 1
    assert len(states) == 12 + 6
    assert {state for state, _ in states.values()} == {"done", "skipped", "failed"}
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())
    for name in set(states) - failed:
        check_products(output / name)
    states, code = outcome(start(assets, "-o", output), 120)
    assert ({state for state, _ in states.values()}, code) == ({"skipped", "failed"}, 1)
    assert not list(output.glob("*/.*"))


def write_huge(path):
    """A wavy ball of nearly a million triangles, as binary PLY."""
    around, down = np.meshgrid(np.linspace(0, 2 * np.pi, HUGE), np.linspace(0, np.pi, HUGE))
    radius = 1 + 0.05 * np.sin(9 * around) * np.sin(down)
    ball = np.sin(down) * np.cos(around), np.sin(down) * np.sin(around), np.cos(down)
    points = (radius[..., None] * np.stack(ball, axis=-1)).reshape(-1, 3).astype("<f4")
    first = (np.arange(HUGE - 1)[:, None] * HUGE + np.arange(HUGE - 1)).ravel()
    corners = (
        np.stack([first, first + HUGE, first + 1], 1),
        np.stack([first + 1, first + HUGE, first + HUGE + 1], 1),
    )
    faces = np.empty(2 * len(first), dtype=[("count", "u1"), ("index", "<i4", 3)])
    faces["count"], faces["index"] = 3, np.concatenate(corners)
    header = "\n".join([
        "ply", "format binary_little_endian 1.0", f"element vertex {len(points)}",
        "property float x", "property float y", "property float z",
        f"element face {len(faces)}", "property list uchar int vertex_indices", "end_header", "",
    ])  # fmt: skip
    path.write_bytes(header.encode("ascii") + points.tobytes() + faces.tobytes())
