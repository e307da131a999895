# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `relight`: which options go together, and what each of them makes."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from backend.shared.radiance_hdr import write_hdr

SIZE = 32
QUICK = ("--size", SIZE, "--samples", 1, "--threads", 1, "--json")


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    """A result: an orange box."""
    import trimesh

    folder = tmp_path_factory.mktemp("result")
    box = trimesh.creation.box((1.0, 0.6, 0.3))
    orange = trimesh.visual.material.PBRMaterial(baseColorFactor=[230, 120, 60, 255])
    uv = np.zeros((len(box.vertices), 2))
    box.visual = trimesh.visual.TextureVisuals(uv=uv, material=orange)
    box.export(folder / "mesh.glb")
    return folder


@pytest.fixture
def relight(lsrm_blender, result, tmp_path):
    """A function that relights the result with options; the folder `out` is for the pictures."""
    return lambda *options: lsrm_blender(
        "relight", result, "-o", tmp_path / "out", *QUICK, *options
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "--environment-folder"),
        (["--environment=city", "--video"], "--turntable"),
        (["--environment=city", "--video", "--turntable=4", "--hidden"], "--hidden"),
        (["--environment=city", "--visible", "--hidden"], "--visible"),
        (["--environment=city", "--size=0"], "--size"),
    ],
)
def test_options_that_do_not_fit_are_wrong_usage(lsrm, capsys, options, message):
    """The message names the option."""
    parse = lsrm("lsrm_blender.commands.command_line").parse
    with pytest.raises(SystemExit) as stop:
        parse(["relight", "result", "-o", "out", *options])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


def test_a_folder_of_lights_to_turntables_videos_and_a_sheet(relight, tmp_path):
    """Every light has its frames and its video, brighter under the brighter light."""
    lights = tmp_path / "lights"
    lights.mkdir()
    for name, radiance in (("noon", 2.0), ("dusk", 0.05)):
        write_hdr(lights / f"{name}.hdr", np.full((4, 8, 3), radiance, np.float32))
    done = relight("--environment-folder", lights, "--turntable", 2, "--video", "--sheet")
    assert done.returncode == 0, done.stderr
    out = tmp_path / "out"
    frames = [out / light / f"000{index}.png" for light in ("dusk", "noon") for index in (0, 1)]
    assert json.loads(done.stdout) == {
        "images": [str(frame) for frame in frames],
        "videos": [str(out / "dusk.mp4"), str(out / "noon.mp4")],
        "sheet": str(out / "contact_sheet.png"),
    }
    means = [np.asarray(Image.open(frame), np.float64)[..., :3].mean() for frame in frames]
    assert max(means[:2]) < min(means[2:])
    assert all((out / f"{light}.mp4").stat().st_size > 0 for light in ("dusk", "noon"))
    assert min(Image.open(out / "contact_sheet.png").size) >= SIZE


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--environment-folder", "."], "BAD_ASSET"),
        (["--environment", "city", "--from-view", "views"], "BAD_CAPTURE"),
    ],
)
def test_what_is_not_there_is_refused(relight, tmp_path, options, code):
    """The error says which, and no picture is made."""
    done = relight(*(tmp_path if each == "." else each for each in options))
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["code"] == code
    assert not (tmp_path / "out").exists()
