# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `render-views`: cameras, sizes and lights of single views, in linear light."""

from __future__ import annotations

import json

import numpy as np
import pytest
import trimesh
from PIL import Image

from backend.shared.cameras import intrinsics_from_fov, look_at, world_to_gltf
from backend.shared.capture.capture import Frame
from backend.shared.capture.writer import write_transforms
from backend.shared.radiance_hdr import write_hdr
from backend.views.exr_file import read_exr

WIDTH, HEIGHT, WIDER = 32, 24, 48
COLOR = (102, 51, 255)
RADIANCE = 4.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A cube in the middle of two views, the second one lit equally from all around."""
    folder = tmp_path_factory.mktemp("render-views")
    cube = trimesh.creation.box((0.6, 0.6, 0.6))
    cube.vertices = world_to_gltf(cube.vertices)
    material = trimesh.visual.material.PBRMaterial(
        baseColorFactor=[*COLOR, 255], roughnessFactor=1.0, metallicFactor=0.0
    )
    uv = np.zeros((len(cube.vertices), 2))
    cube.visual = trimesh.visual.TextureVisuals(uv=uv, material=material)
    cube.export(folder / "cube.glb")
    write_hdr(folder / "light.hdr", np.full((8, 16, 3), RADIANCE))
    lens = intrinsics_from_fov(WIDTH, HEIGHT, 0.8)
    frames = []
    for number, position in enumerate([(0.0, -2.0, 0.0), (2.0, 0.0, 0.0)]):
        image = folder / f"{number:04d}.png"
        Image.new("RGBA", (WIDTH, HEIGHT)).save(image)
        frames.append(Frame(image.stem, image, None, lens, look_at(position, (0, 0, 0))))
    write_transforms(folder / "transforms.json", frames)
    return folder


def test_views_are_rendered_each_in_its_light(folder, lsrm_blender):
    """Unlit is the base color; light is neither clipped nor encoded; the size is as requested."""
    (folder / "lights.json").write_text(json.dumps({"0001": str(folder / "light.hdr")}))
    done = lsrm_blender(
        "render-views", folder / "cube.glb", folder, "-o", folder / "out", "--size", WIDER,
        "--samples", 16, "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    images = json.loads(done.stdout)["images"]
    assert images == [str(folder / "out" / f"{name}.exr") for name in ("0000", "0001")]
    middle = (WIDER * HEIGHT // WIDTH // 2, WIDER // 2)
    for name, factor, tolerance in (("0000", 1.0, 2e-3), ("0001", RADIANCE, 0.5)):
        color, alpha = read_exr(folder / "out" / f"{name}.exr", 1_000_000)
        assert color.shape == (WIDER * HEIGHT // WIDTH, WIDER, 3)
        assert alpha[middle] == 1.0
        assert alpha[0, 0] == 0.0
        # A plastic cube reflects a little more of a white furnace than its base color.
        assert color[middle] == pytest.approx(np.multiply(COLOR, factor / 255), abs=tolerance)


def test_a_light_of_no_view_is_refused(folder, lsrm_blender):
    (folder / "lights.json").write_text(json.dumps({"0007": "studio"}))
    done = lsrm_blender("render-views", folder / "cube.glb", folder, "-o", folder / "none")
    assert done.returncode == 1
    assert "0007" in done.stderr
