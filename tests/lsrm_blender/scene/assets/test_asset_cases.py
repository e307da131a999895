# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Assets as people bring them are captured, refused, or warned of as they would expect."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image

from backend.shared.capture.json_files import read_capture_json
from backend.shared.capture.reader import read_capture

PINK, BRIGHT, COLORED, ANY = "pink", "bright", "colored", "any"


@dataclass(frozen=True)
class Expected:
    """What a person expects of a case.

    Attributes:
        words: that stand in the warnings; without any there is no warning.
        error: a word of the refusal; without it the asset is captured.
        radius: of the bounding sphere, least and most.
        color: of the object: PINK, BRIGHT, COLORED or ANY.
    """

    words: tuple[str, ...] = ()
    error: str = ""
    radius: tuple[float, float] = (0.0, np.inf)
    color: str = ANY


CASES = {
    "ascii-fbx/crate.fbx": Expected(radius=(0.86, 0.87)),
    "emissive-mesh-light/studio.blend": Expected(radius=(0.86, 0.87), color=BRIGHT),
    "gltf-parts-gone/model.gltf": Expected(color=COLORED),
    "gltf-parts-gone/no_buffer.gltf": Expected(error="gone.bin"),
    "gltf-parts-gone/no_texture.gltf": Expected(("base.png",), color=PINK),
    "hair-curves/head.blend": Expected(radius=(0.8, 0.95)),
    "hair-particles/fluffy.blend": Expected(radius=(0.85, 1.05)),
    "holdout-collection/holdout.blend": Expected(("Cutter box",), radius=(0.86, 0.87)),
    "missing-library/toy.blend": Expected(("parts.blend", "Wheel")),
    "missing-texture-obj/box.obj": Expected(("wood.jpg",), color=PINK),
    "missing-udim/udim.blend": Expected(("skin.1001.png", "skin.1002.png"), color=PINK),
    "obj-vertex-colors-mtl/no_library.obj": Expected(("gone.mtl",), color=COLORED),
    "obj-vertex-colors-mtl/scan.obj": Expected(color=COLORED),
    "physical-light/sunny.blend": Expected(color=BRIGHT),
    "ply-texture-file/diffuse.ply": Expected(color=COLORED),
    "ply-texture-file/scan.ply": Expected(color=COLORED),
    "required-extensions/ktx2.glb": Expected(error="gltf-transform"),
    "required-extensions/meshopt.glb": Expected(error="gltf-transform"),
    "second-view-layer/layers.blend": Expected(("hero",)),
    "shader-displacement/rock.blend": Expected(radius=(0.74, 0.88)),
    "shadow-catcher/shot.blend": Expected(("Floor",), radius=(0.5, 1.0)),
    "utm-obj/survey.obj": Expected(("far from the origin",), radius=(0.75, 0.77)),
    "world-fog/foggy.blend": Expected(("fog",), radius=(0.86, 0.87), color=BRIGHT),
}


def _captured(files, folder):
    """Capture the files; returns the errors by name."""
    from pathlib import Path

    from lsrm.backend.shared.errors import LsrmError
    from lsrm.backend.shared.progress import Progress
    from lsrm.lsrm_blender.scene.assets.asset_import import open_asset
    from lsrm.lsrm_blender.scene.assets.asset_objects import AssetChoice
    from lsrm.lsrm_blender.scene.cameras.scene_cameras import Framing
    from lsrm.lsrm_blender.scene.capture.capture import capture
    from lsrm.lsrm_blender.scene.capture.settings import CaptureSettings
    from lsrm.lsrm_blender.scene.render_settings import RenderSettings

    errors = {}
    render = RenderSettings(4, denoise=False, threads=1)
    settings = CaptureSettings(4, framing=Framing(48), render=render, panorama_width=64)
    for name, path in files.items():
        only = "Product" if "emissive" in name else None
        try:
            asset = open_asset(AssetChoice(Path(path), only))
            capture(asset, Path(folder) / name, settings, Progress())
        except LsrmError as error:
            errors[name] = str(error)
    return errors


@pytest.fixture(scope="module")
def captured(shared, in_blender, tmp_path_factory):
    """The folder of all captures, and the errors of those that failed."""
    cases = shared / "cases" / "assets"
    if not cases.is_dir():
        pytest.skip(f"no cases at {cases}")
    files = {}
    for name in CASES:
        case, _, file = name.partition("/")
        files[name] = cases / case / "input" / file
    folder = tmp_path_factory.mktemp("cases")
    files = {name: str(path) for name, path in files.items()}
    return folder, in_blender(_captured, files=files, folder=folder)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_cases(captured, name):
    """An asset is framed, colored and lit as its user sees it, or a word says what is not."""
    expected, (folder, errors) = CASES[name], captured
    if expected.error:
        assert expected.error in errors[name]
        return
    assert name not in errors
    warnings = read_capture_json(folder / name)["warnings"]
    assert all(word in " ".join(warnings) for word in expected.words)
    assert bool(warnings) == bool(expected.words)
    capture = read_capture(folder / name)
    assert expected.radius[0] <= capture.bounding_sphere.radius <= expected.radius[1]
    masks = np.stack([np.asarray(Image.open(frame.mask_path), float) for frame in capture.frames])
    images = np.stack([np.asarray(Image.open(frame.image_path), float) for frame in capture.frames])
    sides = (masks[:, 0], masks[:, -1], masks[:, :, 0], masks[:, :, -1])
    assert max(float(side.max()) for side in sides) <= 127  # pixel filter
    assert (masks > 127).mean() > 0.2
    red, green, blue = images[masks > 127].mean(axis=0)
    pink = min(red, blue) > 180 and green < 80
    assert pink == (expected.color == PINK)
    if expected.color == BRIGHT:
        assert 40 < (red + green + blue) / 3 < 235
    if expected.color == COLORED:
        assert max(red, green, blue) - min(red, green, blue) > 15
