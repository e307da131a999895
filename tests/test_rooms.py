# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rooms and doors: what each room may import, no cycle of folders, no crowded folder."""

from __future__ import annotations

import ast
import graphlib
import sys
from pathlib import PurePosixPath

import pytest

ROOMS = ("backend", "kernels", "lsrm_blender", "benchmarks")
BOOTSTRAP = "lsrm_blender/__main__.py"  # runs in front of Blender, not inside
MOST_FILES = 20

# What each room may import besides itself and the standard library; the first match counts.
DOORS = {
    BOOTSTRAP: {"backend", "lsrm_blender/entry.py"},
    "lsrm_blender/jobs": {"numpy", "backend/shared"},
    "lsrm_blender": {"numpy", "bpy", "bmesh", "mathutils", "backend/shared"},
    "backend/shared": {"numpy"},
    "backend/setup": {"torch", "backend/shared"},
    "kernels/reference": {"torch"},
    "kernels/core": {"torch"},
    "kernels/gpu": {"torch", "triton", "kernels/core", "kernels/reference"},
    "kernels": {"torch", "triton"},
}
NEVER_IN_BACKEND = {"bpy", "mathutils", "lsrm_blender", "benchmarks", "tests"}


@pytest.fixture(scope="module")
def files(repository):
    """Every module of the repository: its path, and the paths or outer modules that it imports."""
    modules = {
        path.relative_to(repository).as_posix(): path
        for room in ROOMS
        for path in (repository / room).rglob("*.py")
    }
    return {
        name: {target for node in ast.walk(ast.parse(path.read_text("utf-8")))
               for target in imported(node, name, modules)}
        for name, path in modules.items()
    }  # fmt: skip


def imported(node, name, modules):
    """What one statement imports: files of the repository, and names of outer modules."""
    if isinstance(node, ast.Import):
        bases = [(alias.name, "") for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            parts = PurePosixPath(name).parent.parts
            base = ".".join([*parts[: len(parts) - node.level + 1], *base.split(".")]).strip(".")
        bases = [(base, alias.name) for alias in node.names]
    else:
        return
    for base, member in bases:
        path = base.replace(".", "/")
        choices = (f"{path}/{member}.py", f"{path}.py", f"{path}/{member}/__init__.py")
        found = next((each for each in choices if each in modules), None)
        if found or base.split(".")[0] in ROOMS:
            yield found or f"{path}/__init__.py"
        else:
            yield base.split(".")[0]


def folder_of(name):
    """The node of a file in the graph of folders; what lies in front of the rooms stands alone."""
    path = PurePosixPath(name)
    fronts = ("backend", "lsrm_blender", "benchmarks")
    return name if str(path.parent) in fronts else str(path.parent)


def test_doors_open_one_way(files):
    """No room imports what it should not know."""
    wrong = []
    for name, targets in files.items():
        door = next((d for d in DOORS if name == d or name.startswith(f"{d}/")), None)
        for target in targets:
            top = target.split("/")[0]
            if top in sys.stdlib_module_names:
                continue
            if name.startswith("backend/") and top in NEVER_IN_BACKEND:
                wrong.append(f"{name} imports {target}")
            elif door is not None:
                inside = top == door.split("/")[0] if "/" not in door else target.startswith(door)
                if door == "lsrm_blender/jobs" and target == "lsrm_blender/jobs":
                    inside = True
                allowed = any(target == a or target.startswith(f"{a}/") for a in DOORS[door])
                if not inside and not allowed:
                    wrong.append(f"{name} imports {target}")
    assert not wrong


def test_the_pipeline_is_the_top_of_the_backend(files):
    """Commands and benchmarks start the pipeline; no stage knows it."""
    knowing = {name for name, targets in files.items() if "backend/pipeline.py" in targets}
    assert {name.rpartition("/")[0] for name in knowing} <= {
        "backend/commands", "benchmarks", "benchmarks/kernels", "benchmarks/paper",
        "benchmarks/quality",
    }  # fmt: skip


def test_folders_form_no_cycle(files):
    """A folder can be read without those that use it."""
    graph = {}
    for name, targets in files.items():
        known = {folder_of(target) for target in targets if target in files}
        graph.setdefault(folder_of(name), set()).update(known - {folder_of(name)})
    list(graphlib.TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("room", [*ROOMS, "tests", "docs"])
def test_no_folder_is_crowded(repository, room):
    """What lies in a folder fits a screen."""
    for folder in [repository / room, *(p for p in (repository / room).rglob("*") if p.is_dir())]:
        if "__pycache__" not in folder.parts:
            count = sum(path.is_file() for path in folder.iterdir())
            assert count <= MOST_FILES, folder
