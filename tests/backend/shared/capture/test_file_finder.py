# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images are found where their paths are those of another computer, folder or letter case."""

from __future__ import annotations

import json

import pytest

from backend.shared.capture.reader import read_capture
from backend.shared.errors import BadImage

FOUND = {
    "letter case of the extension": ("images/a.jpg", "images/a.JPG"),
    "letter case of the folder": ("Images/A.png", "images/a.png"),
    "letter case without extension": ("train/r_0.5", "train/R_0.5.Png"),
    "Windows path": (r"C:\Users\user\scans\toy\images\a.png", "images/a.png"),
    "path of another disk": ("/Volumes/scans/toy/images/a.png", "images/a.png"),
    "network path": (r"\\server\share\toy\images\a.tif", "images/a.tif"),
    "relative to another folder": ("./data/nerf/toy/images/a.png", "images/a.png"),
    "relative to a folder beside": ("../toy/images/a.webp", "images/a.webp"),
    "folder that is not here": ("/scans/toy/photos/a.png", "images/a.png"),
    "no folder": ("a.png", "images/a.png"),
    "folder below": ("toy/cam1/a.png", "images/cam1/a.png"),
}
# Beside each: namesakes that must not be taken.
NAMESAKES = ("masks/a.png", "masks/a.jpg", "masks/cam1/a.png")


@pytest.mark.parametrize(("stated", "stored"), FOUND.values(), ids=FOUND.keys())
def test_moved_image(tmp_path, stated, stored, put_image):
    """The image is found, and a warning says which one it is."""
    put_image(tmp_path / stored)
    for name in NAMESAKES:
        put_image(tmp_path / name)
    frame = frame_of(stated)
    capture = read_capture(written(tmp_path, [frame]))
    assert capture.frames[0].image_path == tmp_path / stored
    assert f"{stated} is {stored}" in capture.warnings[0]


def test_two_cameras_with_the_same_names(tmp_path, put_image):
    """The longest common end decides."""
    for camera in ("left", "right"):
        put_image(tmp_path / "images" / camera / "a.png")
    frames = [frame_of(f"D:/toy/images/{camera}/a.png") for camera in ("right", "left")]
    capture = read_capture(written(tmp_path, frames))
    parents = [frame.image_path.parent.name for frame in capture.frames]
    assert parents == ["right", "left"]
    assert "2 of the files" in capture.warnings[0]


MISSING = {
    "the mask is not the image": (["images/a.png"], ["masks/a.png"]),
    "missing among others": (["images/a.png", "images/b.png"], ["images/b.png", "old/a.png"]),
    "two that fit": (["D:/toy/a.png"], ["left/a.png", "right/a.png"]),
    "one for two frames": (["D:/l/a.png", "D:/r/a.png"], ["images/a.png"]),
    "another extension": (["D:/toy/images/a.jpg"], ["images/a.png"]),
}


@pytest.mark.parametrize(("stated", "stored"), MISSING.values(), ids=MISSING.keys())
def test_missing_image(tmp_path, stated, stored, put_image):
    """Where no file or several fit, the image is missing."""
    for name in stored:
        put_image(tmp_path / name)
    with pytest.raises(BadImage, match="missing in"):
        read_capture(written(tmp_path, [frame_of(path) for path in stated]))


def test_masks_are_found_like_images(tmp_path, put_image):
    """A mask_path of another computer is found, and no image takes its place."""
    put_image(tmp_path / "images" / "a.png")
    frame = frame_of("images/a.png") | {"mask_path": r"E:\toy\masks\a.png"}
    with pytest.raises(BadImage, match="missing in"):
        read_capture(written(tmp_path, [frame]))
    put_image(tmp_path / "masks" / "a.png")
    assert read_capture(tmp_path).frames[0].mask_path == tmp_path / "masks" / "a.png"


@pytest.mark.parametrize("second", ["images/a", "images/../images/a.png", "IMAGES/a.png"])
def test_same_image_in_two_spellings(tmp_path, second, put_image):
    """A second spelling of a path is a second frame of the same image, with the same mask."""
    put_image(tmp_path / "images" / "a.png")
    put_image(tmp_path / "masks" / "a.png")
    capture = read_capture(written(tmp_path, [frame_of("images/a.png"), frame_of(second)]))
    for path, kind in (("image_path", "images"), ("mask_path", "masks")):
        found = {getattr(frame, path).resolve() for frame in capture.frames}
        assert found == {(tmp_path / kind / "a.png").resolve()}


CASES = {
    "suffix-case": "another letter case: images/0000.jpg is images/0000.JPG.",
    "foreign-absolute-paths": r"images\0000.png is images/0000.png.",
    "relative-to-elsewhere": "./data/nerf/toy/images/0000.png is images/0000.png.",
}


@pytest.mark.parametrize(("case", "warning"), CASES.items(), ids=CASES.keys())
def test_reported_captures(shared, case, warning):
    """Captures that people reported are read."""
    folder = shared / "cases" / "views" / case / "input"
    if not folder.is_dir():
        pytest.skip("these captures are not here")
    capture = read_capture(folder)
    assert len(capture.frames) == 12
    assert "12 of the files" in capture.warnings[0]
    assert capture.warnings[0].endswith(warning)


def frame_of(path):
    """A frame of an image, with a lens."""
    return {"file_path": path, "fl_x": 50}


def written(folder, frames):
    """A capture folder with frames; the images exist already."""
    pose = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 2], [0, 0, 0, 1]]
    document = {"frames": [frame | {"transform_matrix": pose} for frame in frames]}
    (folder / "transforms.json").write_text(json.dumps(document))
    return folder
