# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every environment light has a folder of its own, and is found again by its file."""

from __future__ import annotations

import pytest

from backend.shared.capture.capture import LONGEST_NAME, environment_names, relit_folder
from backend.shared.capture.json_files import write_capture_json


@pytest.mark.parametrize(
    ("sources", "names"),
    [
        (["warm/studio_1k.hdr", "cold/studio_1k.hdr"], ["warm_studio_1k", "cold_studio_1k"]),
        (["x/a-b.hdr", "x/a_b.hdr"], ["a_b", "a_b_2"]),
        (["a-b.hdr", "a_b.hdr", "a b.exr"], ["a_b", "a_b_2", "a_b_3"]),
        (["studio", "x/Studio.hdr"], ["studio", "Studio_2"]),
        (["studio", "studio"], ["studio", "studio"]),
        (["forest", "x/noon.hdr"], ["forest", "noon"]),
    ],
)
def test_different_lights_have_different_names(sources, names):
    """Lights of one name get their folders in front, or numbers; others keep their names."""
    assert environment_names(sources) == names


@pytest.mark.parametrize("letter", ["a", "ä", "桌"])
def test_long_names_are_shortened(letter):
    """The name of a light can name a folder, whatever the file is called."""
    names = environment_names([f"{letter * 300}{index}.hdr" for index in range(3)])
    assert len(set(names)) == 3
    assert all(len(name.encode()) <= LONGEST_NAME + 4 for name in names)


def test_relit_views_are_found_by_the_file_of_their_light(tmp_path):
    """The capture says which folder belongs to which light; without that the name decides."""
    lights = [str(tmp_path / "warm" / "sky.hdr"), str(tmp_path / "cold" / "sky.hdr"), "studio"]
    folders = [f"relit_{name}" for name in environment_names(lights)]
    write_capture_json(tmp_path, {"relit": dict(zip(folders, lights, strict=True))})
    test = tmp_path / "test"
    assert [relit_folder(test, light).name for light in lights] == folders
    assert relit_folder(test, "night").name == "relit_night"
    assert relit_folder(tmp_path / "elsewhere" / "test", "noon.hdr").name == "relit_noon"
