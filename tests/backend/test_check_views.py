# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a check says of good views, of views without masks, and of cameras that are wrong."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from backend.check_views import CheckRequest, check_views
from backend.shared.capture.checksums import checksums
from backend.shared.capture.reader import read_capture
from backend.shared.errors import LsrmError
from backend.shared.progress import Progress


@pytest.fixture
def folder(make_capture, tmp_path):
    """A capture that may be changed."""
    return make_capture(tmp_path / "views", views=9, size=64, shape="box")


def changed(folder, change):
    """Change the values of transforms.json."""
    path = folder / "transforms.json"
    document = json.loads(path.read_text("utf-8"))
    change(document)
    path.write_text(json.dumps(document), "utf-8")


def test_good_views(folder, tmp_path):
    """Number, size, masks and coverage are reported, and a contact sheet is written."""
    found = check_views(CheckRequest(folder, contact_sheet=tmp_path / "sheet.png"), Progress())
    assert found["views"] == 9
    assert found["sizes"] == [(64, 64)]
    assert sum(found["masks"].values()) == 9
    assert found["masks"]["missing"] == 0
    assert found["mean_coverage"] > 0.95
    assert not found["doubtful"]
    assert Image.open(tmp_path / "sheet.png").size == (3 * 64, 3 * 64)
    json.dumps(found)


def test_changed_images_are_named(folder):
    """An image that is not as captured is named, with masks and without them."""
    image = folder / "images" / "0003.png"
    description = {"sha256": checksums(folder, read_capture(folder).frames)}
    (folder / "capture.json").write_text(json.dumps(description), "utf-8")
    image.write_bytes(image.read_bytes() + b"more")
    warnings = check_views(CheckRequest(folder), Progress())["warnings"]
    assert "captured: images/0003.png." in " ".join(warnings)
    shutil.rmtree(folder / "masks")
    changed(folder, lambda document: [each.pop("mask_path") for each in document["frames"]])
    found = check_views(CheckRequest(folder), Progress())
    assert found["masks"]["missing"] == 9
    assert "captured: images/0003.png." in " ".join(found["warnings"])


def test_views_without_masks(folder, tmp_path):
    """They are counted, shown, and not judged."""
    for path in sorted((folder / "masks").iterdir())[:4]:
        path.unlink()
    changed(folder, lambda document: [each.pop("mask_path") for each in document["frames"]])
    found = check_views(CheckRequest(folder, contact_sheet=tmp_path / "sheet.png"), Progress())
    assert found["views"] == 9
    assert found["masks"]["missing"] == 4
    assert found["mean_coverage"] is None
    assert (tmp_path / "sheet.png").is_file()


def test_refused_cameras_that_can_be_corrected(folder):
    """Nothing fits, and the likely cause is named; with the cameras fixed all is good."""

    def world_to_camera(document):
        for frame in document["frames"]:
            pose = np.linalg.inv(np.array(frame["transform_matrix"]))
            frame["transform_matrix"] = pose.tolist()

    changed(folder, world_to_camera)
    found = check_views(CheckRequest(folder), Progress())
    assert found["doubtful"]
    assert found["refused"]
    assert found["mean_coverage"] is None
    assert found["likely_cause"]
    assert "--fix-cameras" not in " ".join(found["warnings"])
    fixed = check_views(CheckRequest(folder, fix_cameras=True), Progress())
    assert fixed["fixed"] == found["likely_cause"]
    assert not fixed["doubtful"]
    assert not found["cameras"]
    assert set(fixed["cameras"]) == {f"{index:04d}" for index in range(9)}
    json.dumps(fixed)
    assert fixed["mean_coverage"] > 0.95


def test_cameras_that_nothing_corrects_are_an_error(folder):
    """Views of no common object have no outcome but the error."""

    def scattered(document):
        for index, frame in enumerate(document["frames"]):
            frame["transform_matrix"][index % 3][3] += 40.0 * index

    changed(folder, scattered)
    with pytest.raises(LsrmError):
        check_views(CheckRequest(folder), Progress())
