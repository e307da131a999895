# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which objects the quality benchmark runs, and which captures it keeps."""

from __future__ import annotations

import pytest

from backend.shared.capture.capture import PASSES
from benchmarks.quality.object_split import MADE
from benchmarks.quality.options import parse
from benchmarks.quality.scenes import find_assets, is_captured, without_light

LIGHTS = ["lights/studio 1k.hdr", "lights/hall.hdr"]


def test_captures_are_kept_if_they_are_complete(tmp_path):
    """A capture is made again only if it lacks relit views or passes that are needed."""
    views = tmp_path / "views"
    assert not is_captured(views, [])
    views.mkdir()
    assert is_captured(views, [])
    needed = [*PASSES, "relit_studio_1k", "relit_hall"]
    for folder in needed:
        assert not is_captured(views, LIGHTS)
        (views / "test" / folder).mkdir(parents=True)
    assert is_captured(views, LIGHTS)
    assert not is_captured(views, [*LIGHTS, "moon.hdr"])


@pytest.fixture
def options(tmp_path):
    """Parse options for a folder with one scan and one .glb, where all made objects exist."""
    objects, work = tmp_path / "objects", tmp_path / "work"
    files = [objects / "gso_Sootheze_Toasty_Orca" / "model.obj", objects / "pbr_WaterBottle.glb"]
    for path in [*files, *(work / "made" / f"{name}.glb" for name in MADE)]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return lambda *more: parse([str(objects), "light.hdr", "--work", str(work), *more])


def test_assets_are_those_of_the_folder_and_the_made_ones(options):
    assets = find_assets(options())
    assert set(assets) == {"gso_Sootheze_Toasty_Orca", "pbr_WaterBottle", *MADE}
    assert set(find_assets(options("--no-made"))) == {"gso_Sootheze_Toasty_Orca", "pbr_WaterBottle"}
    assert set(find_assets(options("--only", "ORCA"))) == {"gso_Sootheze_Toasty_Orca"}
    assert "pbr_WaterBottle" not in find_assets(options("--half", "reporting"))


def test_views_without_their_light_have_all_else_that_is_reconstructed(tmp_path):
    for name in ("transforms.json", "environment.hdr", "images/0.png", "test/transforms.json"):
        path = tmp_path / "views" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    for _ in range(2):  # an earlier copy is replaced
        alone = without_light(tmp_path / "views", tmp_path / "alone")
    assert {path.name for path in alone.rglob("*")} == {"transforms.json", "images", "0.png"}
    assert (tmp_path / "views" / "environment.hdr").is_file()


@pytest.mark.parametrize("option", ["--bounds", "--withhold-light"])
def test_bounds_need_other_lights(options, capsys, option):
    with pytest.raises(SystemExit):
        options(option)
    assert "add --relight" in capsys.readouterr().err
