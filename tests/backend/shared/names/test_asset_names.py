# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Assets are called after what they are, not after what kind of file they lie in."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.shared.names.asset_names import is_generic, name_below, name_of_file, name_of_views


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/kitchen/mug/model.obj", "mug"),
        ("/kitchen/mug/meshes/model.obj", "mug"),
        ("/shapes/04379243/models/model_normalized.obj", "04379243"),
        ("/kitchen/mug.glb", "mug"),
        ("/kitchen/mug/model_2.obj", "model_2"),
        ("/people/anna/Downloads/model.obj", "model"),
        ("/assets/scene.blend", "scene"),
        ("/model.obj", "model"),
        ("/kitchen/Tasse é/Textured Mesh.ply", "Tasse é"),
        ("/a/models/meshes/raw/model.obj", "model"),
    ],
)
def test_names_of_files(path, name):
    """Generic names give way to that of the folder around, up to a place for many things."""
    assert name_of_file(Path(path)) == name


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        (("kitchen", "mug", "model"), "kitchen_mug"),
        (("mug",), "mug"),
        (("model",), ""),
        (("cup", "meshes", "model"), "cup"),
        (("scene", "mug"), "scene_mug"),
    ],
)
def test_names_below_a_folder(parts, name):
    """Only the end of a path is generic; folders above the name tell assets apart."""
    assert name_below(parts) == name


@pytest.mark.parametrize(
    ("views", "description", "name"),
    [
        ("/lsrm/Cube/003/capture", {}, "Cube"),
        ("/lsrm/Cube/003/capture", {"source": {"name": "Würfel"}}, "Würfel"),
        ("/lsrm/Model/003/capture", {"source": {"name": "Model", "objects": []}}, "Model"),
        ("/scans/mug/transforms.json", {"source": "a scan"}, "mug"),
        ("/scans/mug/images", {"source": {"name": "images"}}, "mug"),
        ("/scans/mug/sparse/0", {}, "mug"),
        ("/data/views", {}, "views"),
        ("/data/views", {"source": {"name": 7}}, "7"),
        ("/", {}, "asset"),
    ],
)
def test_names_of_views(views, description, name):
    """The capture says it, else the folder around numbers and generic names."""
    assert name_of_views(Path(views), description) == name


def test_generic_names():
    """A number, or any other word, makes a name one of its own."""
    assert is_generic("Model")
    assert is_generic("textured_simple")
    assert is_generic("")
    assert not is_generic("model_2")
    assert not is_generic("scene of the crime")
