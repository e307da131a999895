# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""COLMAP's folders are read: text and binary, its lens models, cameras and places of images."""

from __future__ import annotations

from dataclasses import astuple, replace

import numpy as np
import pytest

from backend.shared.cameras import Intrinsics, fibonacci_sphere, look_at
from backend.shared.capture.reader import read_capture
from backend.shared.errors import BadCamera, BadCapture, BadImage, TooFewViews
from backend.shared.lenses import Distortion
from backend.views.views import load_views
from tests.captures import distort_capture
from tests.colmap_models import Camera, Image, write_binary, write_text

PARAMETERS = {
    "SIMPLE_PINHOLE": (50.0, 19.0, 14.0),
    "PINHOLE": (50.0, 51.0, 19.0, 14.0),
    "SIMPLE_RADIAL": (50.0, 19.0, 14.0, -0.1),
    "RADIAL": (50.0, 19.0, 14.0, -0.1, 0.02),
    "OPENCV": (50.0, 51.0, 19.0, 14.0, -0.1, 0.02, 0.003, -0.004),
    "OPENCV_FISHEYE": (50.0, 51.0, 19.0, 14.0, -0.1, 0.02, 0.003, -0.004),
    "FULL_OPENCV": (50.0, 51.0, 19.0, 14.0, -0.1, 0.02, 0.003, -0.004, 0.01, 0.02, 0.03, 0.04),
}
DISTORTIONS = {
    "SIMPLE_RADIAL": Distortion((-0.1, 0, 0, 0, 0, 0)),
    "RADIAL": Distortion((-0.1, 0.02, 0, 0, 0, 0)),
    "OPENCV": Distortion((-0.1, 0.02, 0, 0, 0, 0), (0.003, -0.004)),
    "OPENCV_FISHEYE": Distortion((-0.1, 0.02, 0.003, -0.004, 0, 0), is_fisheye=True),
    "FULL_OPENCV": Distortion((-0.1, 0.02, 0.01, 0.02, 0.03, 0.04), (0.003, -0.004)),
}
PINHOLE = Camera(3, "PINHOLE", (40, 30), PARAMETERS["PINHOLE"])
POSES = [look_at(3.0 * each, (0.1, 0.2, 0.3)) for each in fibonacci_sphere(5)]
WRITERS = {"text": write_text, "binary": write_binary}


@pytest.fixture
def put_images(put_image):
    """A function that writes images of names into a folder; returns those of a model."""

    def put(folder, *names, size=(40, 30), camera=3):
        for name in names:
            put_image(folder / name, size)
        # Ids are not contiguous, and not in the order of the names.
        return [
            Image(20 - 3 * index, name, camera, POSES[index]) for index, name in enumerate(names)
        ]

    return put


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS.keys())
@pytest.mark.parametrize("model", PARAMETERS)
def test_lens_models(tmp_path, put_images, write, model):
    """Every model in both forms gives its lens, and poses with OpenGL axes."""
    images = put_images(tmp_path / "images", "b.png", "a 1.png")
    write(tmp_path / "sparse" / "0", [Camera(3, model, (40, 30), PARAMETERS[model])], images)
    first, second = read_capture(tmp_path).frames
    fy = 50.0 if len(PARAMETERS[model]) in (3, 4, 5) and model != "PINHOLE" else 51.0
    assert first.intrinsics_on_disk == Intrinsics(40, 30, 50.0, fy, 19.0, 14.0)
    assert (first.lens.distortion if first.lens else None) == DISTORTIONS.get(model)
    assert [first.name, second.name] == ["a 1", "b"]
    assert first.camera_to_world == pytest.approx(POSES[1], abs=1e-12)
    assert second.camera_to_world == pytest.approx(POSES[0], abs=1e-12)


@pytest.mark.parametrize("model", PARAMETERS)
@pytest.mark.parametrize("form", ["text", "binary"])
def test_models_written_by_pycolmap(tmp_path, put_images, form, model):
    """What COLMAP itself writes is read to a millionth."""
    pycolmap = pytest.importorskip("pycolmap", reason="the extra `photos` is not installed")
    images = put_images(tmp_path / "images", "a.png", "cam/b.png")
    reconstruction = pycolmap.Reconstruction()
    camera = pycolmap.Camera(
        model=model, width=40, height=30, params=PARAMETERS[model], camera_id=3
    )
    reconstruction.add_camera_with_trivial_rig(camera)
    for image in images:
        pose = image.pose()
        rotation = pycolmap.Rotation3d(np.array([*pose[1:4], pose[0]]))
        reconstruction.add_image_with_trivial_frame(
            pycolmap.Image(name=image.name, camera_id=3, image_id=image.number),
            pycolmap.Rigid3d(rotation, np.array(pose[4:])),
        )
    folder = tmp_path / "sparse" / "0"
    folder.mkdir(parents=True)
    (reconstruction.write_text if form == "text" else reconstruction.write_binary)(str(folder))
    frames = read_capture(tmp_path).frames
    assert [frame.name for frame in frames] == ["a", "b"]
    for frame, pose in zip(frames, POSES, strict=False):
        assert frame.camera_to_world == pytest.approx(pose, abs=1e-6)
        assert (frame.lens.distortion if frame.lens else None) == DISTORTIONS.get(model)
        assert astuple(frame.intrinsics_on_disk)[2] == pytest.approx(50.0, abs=1e-6)


def test_cameras_and_folders(tmp_path, put_images):
    """Several cameras, with images of one name in folders of their own, and masks beside them."""
    images = put_images(tmp_path / "images", "left/1.png")
    images += put_images(tmp_path / "images", "right/1.png", size=(20, 40), camera=7)
    put_images(tmp_path / "masks", "left/1.png.png", "right/1.png.png")
    other = Camera(7, "SIMPLE_RADIAL", (20, 40), (60.0, 10.0, 20.0, 0.1))
    write_binary(tmp_path / "sparse" / "0", [PINHOLE, other], images)
    left, right = read_capture(tmp_path).frames
    assert (left.name, right.name) == ("images_left_1", "images_right_1")
    assert left.lens is None
    assert right.lens.intrinsics == Intrinsics(20, 40, 60.0, 60.0, 10.0, 20.0)
    assert right.mask_path == tmp_path / "masks" / "right" / "1.png.png"


@pytest.mark.parametrize("points", ["", "\n", "1.5 2.5 -1 3.5 4.5 7\n", "1 2 3 " * 9 + "\n"])
def test_lines_of_points(tmp_path, put_images, points):
    """The second line of an image may be empty, long, or missing, as in some exports."""
    images = put_images(tmp_path / "images", "a.png", "b c.png", "d.png")
    write_text(tmp_path / "sparse", [PINHOLE], images, points)
    assert [frame.name for frame in read_capture(tmp_path).frames] == ["a", "b c", "d"]


def test_files_of_windows(tmp_path, put_images):
    """Line ends, a byte order mark and backslashes of Windows."""
    images = put_images(tmp_path / "images", "cam/a.png", "cam/b.png")
    images = [replace(image, name=image.name.replace("/", "\\")) for image in images]
    write_text(tmp_path / "sparse", [PINHOLE], images)
    for path in (tmp_path / "sparse").iterdir():
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert [frame.name for frame in read_capture(tmp_path).frames] == ["a", "b"]


@pytest.mark.parametrize("model", [".", "sparse", "sparse/0", "sparse/2", "colmap/sparse/0"])
@pytest.mark.parametrize("place", ["images", ".", "input"])
def test_places(tmp_path, put_images, model, place):
    """The model may be in several folders, and the images beside or in it."""
    images = put_images(tmp_path / place, "a.png", "b.png")
    write_text(tmp_path / model, [PINHOLE], images)
    assert len(read_capture(tmp_path).frames) == 2


def test_path_of_the_model(tmp_path, put_images):
    """The folder of the model may be named itself, or a file in it."""
    write_text(
        tmp_path / "sparse" / "0", [PINHOLE], put_images(tmp_path / "images", "a.png", "b.png")
    )
    for path in ("sparse", "sparse/0", "sparse/0/images.txt"):
        capture = read_capture(tmp_path / path)
        assert capture.folder == tmp_path.resolve()
        assert len(capture.frames) == 2


def test_several_models(tmp_path, put_images):
    """Of several models the largest is read, with a warning; of both forms the binary one."""
    images = put_images(tmp_path / "images", "a.png", "b.png", "c.png")
    write_text(tmp_path / "sparse" / "0", [PINHOLE], images[:1])
    write_text(tmp_path / "sparse" / "1", [PINHOLE], images[:2])
    write_binary(tmp_path / "sparse" / "1", [PINHOLE], images)
    capture = read_capture(tmp_path)
    assert len(capture.frames) == 3
    assert "2 COLMAP models" in capture.warnings[0]


def test_images_of_half_the_size(tmp_path, put_images):
    """Images that were all halved, of several cameras, have halved intrinsics."""
    images = put_images(tmp_path / "images_2", "a.png", size=(20, 15))
    images += put_images(tmp_path / "images_2", "b.png", size=(10, 20), camera=7)
    other = Camera(7, "SIMPLE_RADIAL", (20, 40), (60.0, 10.0, 20.0, 0.1))
    write_text(tmp_path / "sparse", [PINHOLE, other], images)
    capture = read_capture(tmp_path)
    assert capture.frames[0].intrinsics == Intrinsics(20, 15, 25.0, 25.5, 9.5, 7.0)
    assert capture.frames[1].intrinsics_on_disk == Intrinsics(10, 20, 30.0, 30.0, 5.0, 10.0)
    assert "20 x 15 instead of 40 x 30" in capture.warnings[0]


def test_missing_images(tmp_path, put_images):
    """All images that are missing are named."""
    images = put_images(tmp_path / "images", "a.png", "b.png", "c.png")
    write_text(tmp_path / "sparse", [PINHOLE], images)
    for name in "bc":
        (tmp_path / "images" / f"{name}.png").unlink()
    with pytest.raises(BadImage, match=r"images\.txt are missing .* images/b\.png, images/c\.png"):
        read_capture(tmp_path)


@pytest.mark.parametrize("model", ["FOV", "THIN_PRISM_FISHEYE", "EQUIRECTANGULAR"])
def test_lenses_that_are_not_read(tmp_path, put_images, model):
    """Other lenses are refused with the view and what to do."""
    images = put_images(tmp_path / "images", "a.png", "b.png")
    write_text(tmp_path / "sparse", [Camera(3, model, (40, 30), (50.0, 50.0))], images)
    with pytest.raises(BadCamera, match=f"View a .*{model}.*image_undistorter"):
        read_capture(tmp_path)


def test_damaged_models(tmp_path, put_images):
    """A file that is cut short, altered or inconsistent is a bad capture."""
    images = put_images(tmp_path / "images", "a.png", "b.png")
    folder = tmp_path / "sparse"
    for write in WRITERS.values():
        write(folder, [PINHOLE], images)
        for path in sorted(folder.iterdir()):
            whole = path.read_bytes()
            for cut in (0, 9, len(whole) // 2, len(whole) - 10):
                path.write_bytes(whole[:cut])
                check_bad(tmp_path)
            path.write_bytes(b"\xff" * len(whole))
            check_bad(tmp_path)
            path.write_bytes(whole)
        write(folder, [PINHOLE], [replace(images[0], camera=8)])
        check_bad(tmp_path)
        write(folder, [PINHOLE], [images[0], replace(images[1], name="a.png")])
        check_bad(tmp_path)
        for path in folder.iterdir():
            path.unlink()
    write_text(folder, [PINHOLE], images)
    text = (folder / "images.txt").read_text("utf-8").split(" ")
    (folder / "images.txt").write_text(" ".join(["nan" if "0." in w else w for w in text]), "utf-8")
    check_bad(tmp_path)


def check_bad(folder):
    """A capture is refused with a code; an empty model has too few views."""
    with pytest.raises((BadCapture, BadImage, TooFewViews)) as caught:
        read_capture(folder)
    assert caught.value.remedy


def test_no_cameras(tmp_path):
    """The error of a folder without cameras names both forms that are read."""
    with pytest.raises(BadCapture, match=r"no COLMAP model.*transforms\.json.*sparse/0"):
        read_capture(tmp_path)


def test_views_of_a_colmap_folder_with_a_lens(tmp_path, make_capture):
    """A capture written as COLMAP's, of two cameras with distortion, gives the same views."""
    distortion = Distortion((-0.2, 0.05, 0, 0, 0, 0), (0.002, -0.001))
    distort_capture(make_capture(tmp_path, views=4, size=48), distortion, "sphere")
    expected = load_views(read_capture(tmp_path)).views
    frames = read_capture(tmp_path).frames
    (tmp_path / "transforms.json").unlink()
    lens = frames[0].lens.intrinsics
    parameters = (lens.fx, lens.fy, lens.cx, lens.cy, -0.2, 0.05, 0.002, -0.001)
    cameras = [Camera(number, "OPENCV", (48, 48), parameters) for number in (1, 2)]
    images = [
        Image(index, frame.image_path.name, 1 + index % 2, frame.camera_to_world)
        for index, frame in enumerate(frames)
    ]
    write_binary(tmp_path / "sparse" / "0", cameras, images)
    for view, other in zip(load_views(read_capture(tmp_path)).views, expected, strict=True):
        assert (view.mask == other.mask).all()
        assert view.intrinsics == other.intrinsics
        assert view.camera_to_world == pytest.approx(other.camera_to_world, abs=1e-12)


@pytest.mark.parametrize("case", ["colmap-folder", "small-distortion"])
def test_cases(shared, case):
    """The folders of the collection are read, all twelve views of one object."""
    views = load_views(read_capture(shared / "cases" / "views" / case / "input"))
    assert len(views.views) == 12
    assert views.warnings == ()
