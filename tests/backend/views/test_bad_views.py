# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors for views that cannot be used, with remedies that name the likely mistake."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from backend.shared.cameras import look_at, opencv_to_opengl
from backend.shared.capture.reader import read_capture
from backend.shared.errors import (
    BadCamera,
    BadCapture,
    BadImage,
    EmptyMask,
    ObjectOutOfFrame,
    TooFewViews,
)
from backend.views.views import load_views

VIEWS = 8


@pytest.fixture(scope="module")
def good(tmp_path_factory, make_capture):
    """A capture without errors; do not write to it."""
    return make_capture(tmp_path_factory.mktemp("good") / "arch", VIEWS, size=48, shape="arch")


@pytest.fixture(params=[True, False], ids=["sphere", "no sphere"])
def folder(request, good, tmp_path):
    """A copy to modify, with and without the object's bounding sphere."""
    copy = shutil.copytree(good, tmp_path / "views")
    if not request.param:
        (copy / "capture.json").unlink()
    return copy


def load(folder):
    return load_views(read_capture(folder))


def edit(folder, change):
    """Apply a function to the list of frames in transforms.json; it may return another list."""
    path = folder / "transforms.json"
    document = json.loads(path.read_text())
    changed = change(document["frames"])
    document["frames"] = document["frames"] if changed is None else changed
    path.write_text(json.dumps(document))


def change_poses(folder, change, views=range(VIEWS)):
    """Apply a function to poses [4, 4]."""

    def change_frames(frames):
        for index in views:
            pose = change(np.array(frames[index]["transform_matrix"]))
            frames[index]["transform_matrix"] = pose.tolist()

    edit(folder, change_frames)


def move_sphere(folder, center, radius=0.5):
    """Replace the bounding sphere of a capture, if it has one."""
    path = folder / "capture.json"
    if path.exists():
        path.write_text(json.dumps({"bounding_sphere": {"center": center, "radius": radius}}))


def change_masks(folder, change, views=range(VIEWS)):
    """Apply a function to the pixels [height, width] of masks."""
    for index in views:
        path = folder / "masks" / f"{index:04d}.png"
        Image.fromarray(change(np.asarray(Image.open(path)))).save(path)


def test_good_views(folder):
    """The unmodified capture has no errors or warnings."""
    assert len(load(folder).views) == VIEWS
    assert load(folder).warnings == ()


def test_no_views(folder):
    """No views at all."""
    edit(folder, lambda frames: [])
    with pytest.raises(TooFewViews, match="no views"):
        load(folder)


def test_one_view(folder):
    """One view has no depth."""
    edit(folder, lambda frames: frames[:1])
    with pytest.raises(TooFewViews, match="1"):
        load(folder)


def test_two_views(folder):
    """Two views are the minimum."""
    edit(folder, lambda frames: frames[3:5])
    assert len(load(folder).views) == 2


def test_pose_that_is_not_a_rotation(folder):
    """A scaled pose is an error with the view's name."""
    change_poses(folder, lambda pose: pose @ np.diag([1.1, 1.1, 1.1, 1]), views=[4])
    with pytest.raises(BadCamera, match="0004"):
        load(folder)


def test_nan_pose(folder):
    """NaN in a pose is an error with the view's name."""
    change_poses(folder, lambda pose: pose + np.nan, views=[4])
    with pytest.raises(BadCamera, match="0004"):
        load(folder)


@pytest.mark.parametrize("kind", ["images", "masks"])
def test_file_of_another_size(folder, kind):
    """An image or mask of another size than stated is an error with its name."""
    path = folder / kind / "0002.png"
    Image.open(path).resize((50, 48)).save(path)
    with pytest.raises(BadImage, match=r"0002.* 50 x 48"):
        load(folder)


@pytest.mark.parametrize("kind", ["images", "masks"])
def test_missing_file(folder, kind):
    """A missing image or mask is an error with its name."""
    (folder / kind / "0002.png").unlink()
    with pytest.raises(BadImage, match=f"{kind}/0002"):
        load(folder)


@pytest.mark.parametrize("kind", ["images", "masks"])
@pytest.mark.parametrize("end", [0, 20, 60, -200, -40])
def test_truncated_file(folder, kind, end):
    """A file that ends too early is an error with its name, wherever it ends."""
    path = folder / kind / "0002.png"
    path.write_bytes(path.read_bytes()[:end])
    with pytest.raises(BadImage, match="0002"):
        load(folder)


def test_damaged_file(folder):
    """Flipped bytes in the middle of a file are an error with its name."""
    path = folder / "images" / "0002.png"
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 8] = bytes(8)
    path.write_bytes(content)
    with pytest.raises(BadImage, match="0002"):
        load(folder)


def test_truncated_jpeg(folder):
    """A photograph that ends too early is an error with its name."""
    path = folder / "images" / "0002.jpg"
    Image.open(folder / "images" / "0002.png").save(path)
    path.write_bytes(path.read_bytes()[:-200])
    edit(folder, lambda frames: frames[2].update(file_path="images/0002.jpg"))
    with pytest.raises(BadImage, match="0002"):
        load(folder)


@pytest.mark.parametrize("content", [b"GIF89a", b"not an image at all" * 9])
def test_file_that_is_not_an_image(folder, content):
    """Text with the name of an image is an error with its name."""
    (folder / "images" / "0002.png").write_bytes(content)
    with pytest.raises(BadImage, match="0002"):
        load(folder)


def test_folder_instead_of_an_image(folder):
    """A folder with the name of an image is an error with its name."""
    (folder / "images" / "0002.png").unlink()
    (folder / "images" / "0002.png").mkdir()
    with pytest.raises(BadImage, match="0002"):
        load(folder)


def test_huge_image(folder, monkeypatch):
    """An image that needs too much memory is an error before it is decoded."""
    monkeypatch.setattr("backend.views.image_files.MAX_PIXELS", 48 * 48 - 1)
    with pytest.raises(BadImage, match="million pixels"):
        load(folder)


def test_empty_masks(folder):
    """Masks without any object are an error."""
    change_masks(folder, np.zeros_like)
    with pytest.raises(EmptyMask, match="empty"):
        load(folder)


def test_some_empty_masks(folder):
    """A few views without object are dropped, with a warning that names them."""
    change_masks(folder, np.zeros_like, views=[1, 5])
    views = load(folder)
    assert [view.name for view in views.views] == ["0000", "0002", "0003", "0004", "0006", "0007"]
    assert views.warnings == ("Left out because the mask shows no object: 0001, 0005.",)


def test_all_but_one_mask_empty(folder):
    """One view that shows the object is too few."""
    change_masks(folder, np.zeros_like, views=range(1, VIEWS))
    with pytest.raises(TooFewViews, match="1 show an object"):
        load(folder)


def test_masks_everywhere(folder):
    """Masks that cover the whole frame are an error."""
    change_masks(folder, lambda mask: np.full_like(mask, 255))
    with pytest.raises(EmptyMask, match="100 %") as caught:
        load(folder)
    assert "inverted" in caught.value.remedy


def test_no_masks(folder):
    """Images with neither mask nor transparency are an error."""
    edit(folder, lambda frames: [{**frame, "mask_path": None} for frame in frames])
    shutil.rmtree(folder / "masks")
    with pytest.raises(EmptyMask, match="neither") as caught:
        load(folder)
    assert "mask_path" in caught.value.remedy


def test_cameras_at_one_position(folder):
    """Views from one position in different directions are too few viewpoints."""
    change_poses(folder, lambda pose: np.hstack([pose[:, :3], [[1], [2], [3], [1]]]))
    with pytest.raises(TooFewViews, match="same position"):
        load(folder)


def test_cameras_in_one_direction(folder):
    """Views from almost the same direction are too few viewpoints."""
    start = np.array([0.0, -1.5, 0.3])
    shifts = iter(np.linspace(0, 0.01, VIEWS))
    change_poses(folder, lambda pose: look_at(start + np.array([next(shifts), 0, 0]), (0, 0, 0)))
    shutil.copytree(folder / "masks", folder / "old")
    for path in sorted((folder / "masks").iterdir()):
        shutil.copy(folder / "old" / "0003.png", path)
    with pytest.raises(TooFewViews, match="one direction"):
        load(folder)


CONVENTIONS = {
    "OpenCV's: multiply": opencv_to_opengl,
    "look like world-to-camera matrices": np.linalg.inv,
    "OpenCV's world-to-camera": lambda pose: np.linalg.inv(opencv_to_opengl(pose)),
}


@pytest.mark.parametrize(("remedy", "convert"), CONVENTIONS.items(), ids=CONVENTIONS.keys())
def test_poses_in_another_convention(folder, remedy, convert):
    """Poses in another convention are an error, and the remedy names the convention."""
    # Inverted poses that look at the world's origin would all have one position.
    change_poses(folder, lambda pose: convert(pose + np.eye(4, k=3) * 0.3))
    move_sphere(folder, [0.3, 0, 0])
    with pytest.raises(ObjectOutOfFrame) as caught:
        load(folder)
    assert remedy in caught.value.remedy


def test_inverted_poses_around_the_origin(folder):
    """Inverted poses of cameras around the origin have one position; the remedy says why."""
    change_poses(folder, np.linalg.inv)
    with pytest.raises(TooFewViews, match="same position") as caught:
        load(folder)
    assert "world-to-camera" in caught.value.remedy


def test_cameras_that_look_elsewhere(folder):
    """Poses that do not look at one object are an error."""
    turns = iter(range(VIEWS))
    change_poses(
        folder, lambda pose: look_at(pose[:3, 3], pose[:3, 3] * 2 + np.eye(3)[next(turns) % 3])
    )
    with pytest.raises(ObjectOutOfFrame):
        load(folder)


def test_one_wrong_pose(folder):
    """A single pose that disagrees with all others is dropped, with a warning that names it."""
    change_poses(folder, lambda pose: look_at(pose[:3, 3], pose[:3, 3] + (0, 1, 0.2)), views=[2])
    views = load(folder)
    assert len(views.views) == VIEWS - 1
    assert views.warnings == ("Left out because the pose does not fit the other views: 0002.",)


def test_view_of_a_part(folder):
    """A close-up that cuts the object is used, although it does not show the object's center."""

    def zoom(frames):
        frames[2].update(fl_x=frames[2]["fl_x"] * 4, fl_y=frames[2]["fl_y"] * 4, cx=-60)

    edit(folder, zoom)
    mask = np.zeros((48, 48), np.uint8)
    mask[20:30, :5] = 255
    change_masks(folder, lambda _: mask, views=[2])
    assert len(load(folder).views) == VIEWS


@pytest.mark.parametrize(("scale", "offset"), [(1e-9, 0), (1, 1e6)])
def test_scale_of_the_world_is_free(folder, scale, offset):
    """Nanometers around the origin and meters far from it are accepted."""
    moved = np.diag([scale] * 3 + [1])
    moved[0, 3] = offset
    unscaled = np.diag([1 / scale] * 3 + [1])
    change_poses(folder, lambda pose: moved @ pose @ unscaled)
    move_sphere(folder, [offset, 0, 0], 0.5 * scale)
    assert len(load(folder).views) == VIEWS


def test_too_large_sphere(folder):
    """A large sphere with the object away from its center is accepted."""
    move_sphere(folder, [0.9, 0, 0], 1.4)
    assert len(load(folder).views) == VIEWS


def test_object_beside_its_sphere(good, tmp_path):
    """A bounding sphere away from the object is an error, and the remedy names it."""
    folder = shutil.copytree(good, tmp_path / "views")
    move_sphere(folder, [50, 0, 0])
    with pytest.raises(ObjectOutOfFrame) as caught:
        load(folder)
    assert "bounding sphere" in caught.value.remedy


def test_object_outside_the_frame(good, tmp_path):
    """Cameras that do not look at the bounding sphere are an error, whatever their masks."""
    folder = shutil.copytree(good, tmp_path / "views")
    change_poses(folder, lambda pose: look_at(pose[:3, 3], pose[:3, 3] + pose[:3, 0]))
    change_masks(folder, np.zeros_like)
    with pytest.raises(ObjectOutOfFrame, match="outside the frame"):
        load(folder)


def test_capture_warnings_come_first(good):
    """The warnings of the capture are kept."""
    capture = replace(read_capture(good), warnings=("the first",))
    assert load_views(capture).warnings == ("the first",)


def test_file_instead_of_a_folder(tmp_path):
    """A picture instead of a capture folder is an error with its name."""
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    with pytest.raises(BadCapture, match=r"a\.png"):
        load(tmp_path / "a.png")
