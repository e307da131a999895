# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Views that are exported are the same when they are read: images, masks, cameras and light."""

from __future__ import annotations

import json
import shutil
from argparse import Namespace

import numpy as np
import pytest
from PIL import Image

from backend.commands.export_views import run
from backend.export_views import export_views
from backend.shared.capture.capture import ENVIRONMENT_NAME
from backend.shared.capture.checksums import SHA256, checksums, with_changes_named
from backend.shared.capture.json_files import read_capture_json, write_capture_json
from backend.shared.capture.reader import read_capture
from backend.shared.errors import BadRequest, OutputNotWritable
from backend.shared.lenses import Distortion
from backend.shared.names.view_formats import COLMAP, TRANSFORMS, VIEW_FORMATS
from backend.shared.progress import Progress
from backend.shared.radiance_hdr import write_hdr
from backend.views.views import read_view
from tests.captures import distort_capture


@pytest.fixture
def folder(make_capture, tmp_path):
    """A capture with lens distortion, a known light, and checksums."""
    folder = make_capture(tmp_path / "views", views=3, size=32, shape="box")
    distort_capture(folder, Distortion((-0.1, 0.02, 0, 0, 0, 0), (0.003, -0.004)), "box")
    write_hdr(folder / ENVIRONMENT_NAME, np.ones((4, 8, 3), np.float32))
    sums = checksums(folder, read_capture(folder).frames)
    write_capture_json(folder, {**read_capture_json(folder), SHA256: sums})
    return folder


def export(folder, output, kind=COLMAP):
    """Export views; returns what is read of the copy."""
    export_views(folder, output, kind, Progress())
    return read_capture(output)


def assert_same_views(copy, capture):
    """Captures have the same views, to the last bit of their images."""
    for frame, expected in zip(copy.frames, capture.frames, strict=True):
        assert frame.name == expected.name
        assert frame.image_path.read_bytes() == expected.image_path.read_bytes()
        view, other = read_view(frame), read_view(expected)
        assert (view.image == other.image).all()
        assert (view.mask == other.mask).all()
        assert view.camera_to_world == pytest.approx(other.camera_to_world, rel=0, abs=1e-9)
        assert frame.lens == expected.lens


@pytest.mark.parametrize("kind", VIEW_FORMATS)
def test_same_views(folder, tmp_path, kind):
    """Both formats keep images, masks, lenses, poses, the sphere and the light."""
    capture, copy = read_capture(folder), export(folder, tmp_path / "copy", kind)
    assert_same_views(copy, capture)
    assert copy.bounding_sphere == capture.bounding_sphere
    assert copy.lamps == capture.lamps
    assert copy.known_light.read_bytes() == capture.known_light.read_bytes()
    assert with_changes_named(copy).warnings == ()
    assert (tmp_path / "copy" / "transforms.json").exists() == (kind == TRANSFORMS)


def test_from_one_format_to_the_other_and_back(folder, tmp_path):
    """transforms.json to COLMAP to transforms.json."""
    export(folder, tmp_path / "colmap")
    back = export(tmp_path / "colmap", tmp_path / "back", TRANSFORMS)
    assert_same_views(back, read_capture(folder))


def test_turned_photographs_are_stored_upright(make_capture, tmp_path):
    """What EXIF turns, programs read differently: the copy is turned, with its mask."""
    folder = make_capture(tmp_path / "views", views=2, size=32, shape="box")
    document = json.loads((folder / "transforms.json").read_text("utf-8"))
    for frame in document["frames"]:
        picture = Image.open(folder / frame["file_path"]).transpose(Image.Transpose.ROTATE_90)
        exif = Image.Exif()
        exif[0x0112] = 6
        frame["file_path"] = frame["file_path"].replace(".png", ".jpg")
        picture.save(folder / frame["file_path"], exif=exif, quality=95)
    (folder / "transforms.json").write_text(json.dumps(document), "utf-8")
    capture, copy = read_capture(folder), export(folder, tmp_path / "copy")
    assert [frame.orientation for frame in (*capture.frames, *copy.frames)] == [6, 6, 1, 1]
    for frame, expected in zip(copy.frames, capture.frames, strict=True):
        assert (read_view(frame).image == read_view(expected).image).all()
        assert (read_view(frame).mask == read_view(expected).mask).all()


def test_inverted_masks_and_blanks_in_names(make_capture, tmp_path):
    """Masks are white on the object in the copy, and names are whole for COLMAP."""
    folder = make_capture(tmp_path / "views", views=2, size=32)
    document = json.loads((folder / "transforms.json").read_text("utf-8"))
    for index, frame in enumerate(document["frames"]):
        mask = np.asarray(Image.open(folder / frame["mask_path"]))
        frame["mask_path"] = f"masks/dynamic_mask_{index}.png"
        Image.fromarray(255 - mask).save(folder / frame["mask_path"])
        shutil.move(folder / frame["file_path"], folder / "images" / f"view {index}.png")
        frame["file_path"] = f"images/view {index}.png"
    (folder / "transforms.json").write_text(json.dumps(document), "utf-8")
    capture, copy = read_capture(folder), export(folder, tmp_path / "copy")
    assert [frame.name for frame in copy.frames] == ["view_0", "view_1"]
    for frame, expected in zip(copy.frames, capture.frames, strict=True):
        assert expected.mask_inverted
        assert not frame.mask_inverted
        assert read_view(frame).mask == pytest.approx(read_view(expected).mask, abs=1e-6)


def test_nothing_is_replaced(folder, tmp_path):
    """A folder with anything in it is refused, and stays."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "note.txt").write_text("kept")
    with pytest.raises(OutputNotWritable):
        export(folder, tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["note.txt"]


def test_unknown_formats(folder, tmp_path):
    """They are refused before anything is written."""
    with pytest.raises(BadRequest, match="bundler"):
        export(folder, tmp_path / "out", "bundler")
    assert not (tmp_path / "out").exists()


def test_the_command(folder, tmp_path):
    """It says how many views there are."""
    arguments = Namespace(views=folder, output=tmp_path / "out", format=COLMAP, json=True)
    assert run(arguments)["views"] == 3


def test_changed_files_are_named(folder, tmp_path):
    """An image and a mask that are not as captured are named, also when they are exported."""
    assert with_changes_named(read_capture(folder)).warnings == ()
    Image.new("RGB", (32, 32)).save(folder / "images" / "0001.png")
    Image.new("L", (32, 32)).save(folder / "masks" / "0002.png")
    (warning,) = with_changes_named(read_capture(folder)).warnings
    assert warning == (
        "These files have changed since the views were captured: images/0001.png, masks/0002.png."
    )
    assert export_views(folder, tmp_path / "copy", COLMAP, Progress()).warnings == (warning,)
