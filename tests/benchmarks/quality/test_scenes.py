# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which objects the quality benchmark runs, and which captures it keeps."""

from __future__ import annotations

import pytest

from backend.shared.capture.capture import PASSES
from benchmarks.quality.object_split import MADE
from benchmarks.quality.options import parse
from benchmarks.quality.scenes import find_assets, is_captured

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


def test_bounds_need_other_lights(options, capsys):
    with pytest.raises(SystemExit):
        options("--bounds")
    assert "add --relight" in capsys.readouterr().err
