# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A COLMAP model that is written gives the same cameras when it is read."""

from __future__ import annotations

import tempfile
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from backend.shared.cameras import Intrinsics
from backend.shared.capture.capture import Frame
from backend.shared.capture.colmap_poses import colmap_to_camera_to_world
from backend.shared.capture.colmap_writer import write_colmap_model
from backend.shared.capture.lens_keys import undistorted_intrinsics
from backend.shared.capture.reader import read_capture
from backend.shared.capture.writer import write_transforms
from backend.shared.errors import BadCamera, BadImage
from backend.shared.lenses import Distortion, Lens

small = st.floats(-0.02, 0.02)
distortions = st.one_of(
    st.just(Distortion()),
    st.builds(lambda k1, k2: Distortion((k1, k2, 0, 0, 0, 0)), small, small),
    st.builds(
        lambda radial, tangential: Distortion(tuple(radial), tuple(tangential)),
        st.lists(small, min_size=6, max_size=6),
        st.lists(st.floats(-0.003, 0.003), min_size=2, max_size=2),
    ),
    st.builds(
        lambda radial: Distortion((*radial, 0.0, 0.0), is_fisheye=True),
        st.lists(small, min_size=4, max_size=4),
    ),
)
# Non-square pixels, a principal point off the center, and another size for each view.
pinholes = st.builds(
    Intrinsics,
    width=st.integers(20, 60),
    height=st.integers(20, 60),
    fx=st.floats(40.0, 90.0),
    fy=st.floats(40.0, 90.0),
    cx=st.floats(10.0, 40.0),
    cy=st.floats(10.0, 40.0),
)
numbers = st.floats(-1.0, 1.0)
poses = st.builds(
    colmap_to_camera_to_world,
    st.tuples(numbers, numbers, numbers, numbers).filter(lambda q: np.linalg.norm(q) > 0.1),
    st.tuples(*[st.floats(-50.0, 50.0)] * 3),
)


def is_possible(camera):
    """Whether the lens shows every pixel of its image: a strong one folds short of the corners."""
    pinhole, distortion, _ = camera
    try:
        undistorted_intrinsics(Lens(pinhole, distortion), "any")
    except BadCamera:
        return False
    return True


cameras = st.lists(
    st.tuples(pinholes, distortions, poses).filter(is_possible), min_size=1, max_size=4
)


def frames_in(folder, found):
    """Frames of cameras, with an image of each."""
    frames = []
    for index, (pinhole, distortion, pose) in enumerate(found):
        image = folder / "images" / f"view_{index}.png"
        image.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (pinhole.width, pinhole.height), (index, 90, 30)).save(image)
        lens = None if distortion.is_none else Lens(pinhole, distortion)
        shown = undistorted_intrinsics(lens, image.stem) if lens else pinhole
        frames.append(Frame(image.stem, image, None, shown, pose, lens=lens))
    return frames


def assert_same(read, written):
    """Frames have the same images and cameras."""
    assert [frame.name for frame in read] == [frame.name for frame in written]
    for frame, expected in zip(read, written, strict=True):
        assert frame.image_path == expected.image_path
        assert (frame.lens is None) == (expected.lens is None)
        if expected.lens is not None:
            assert frame.lens.distortion == expected.lens.distortion
        on_disk = astuple(frame.intrinsics_on_disk), astuple(expected.intrinsics_on_disk)
        assert on_disk[0] == pytest.approx(on_disk[1], rel=0, abs=1e-9)
        shown = astuple(frame.intrinsics), astuple(expected.intrinsics)
        assert shown[0] == pytest.approx(shown[1], rel=0, abs=1e-9)
        assert frame.camera_to_world == pytest.approx(expected.camera_to_world, rel=0, abs=1e-9)


@settings(max_examples=15, deadline=None)
@given(cameras)
def test_there_and_back(found):
    """Through a transforms.json and a COLMAP model, cameras stay the same to 1e-9."""
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text).resolve()
        frames = frames_in(folder, found)
        write_transforms(folder / "transforms.json", frames)
        from_transforms = read_capture(folder).frames
        assert_same(from_transforms, frames)
        (folder / "transforms.json").unlink()
        write_colmap_model(folder, from_transforms)
        assert_same(read_capture(folder).frames, frames)


def test_models_and_shared_cameras(tmp_path):
    """Each lens has the simplest model that holds it, and equal lenses are one camera."""
    pinhole = Intrinsics(40, 30, 50.0, 51.5, 19.25, 14.0)
    pose = np.eye(4)
    lenses = [
        Distortion(),
        Distortion((-0.1, 0.02, 0, 0, 0, 0), (0.003, 0.0)),
        Distortion((-0.1, 0, 0.01, 0, 0, 0)),
        Distortion((0.01, 0, 0, 0, 0, 0), is_fisheye=True),
        Distortion(),
    ]
    write_colmap_model(tmp_path, frames_in(tmp_path, [(pinhole, each, pose) for each in lenses]))
    model = tmp_path / "sparse" / "0"
    lines = (model / "cameras.txt").read_text("utf-8").splitlines()
    assert lines[1:] == [
        "1 PINHOLE 40 30 50.0 51.5 19.25 14.0",
        "2 OPENCV 40 30 50.0 51.5 19.25 14.0 -0.1 0.02 0.003 0.0",
        "3 FULL_OPENCV 40 30 50.0 51.5 19.25 14.0 -0.1 0.0 0.0 0.0 0.01 0.0 0.0 0.0",
        "4 OPENCV_FISHEYE 40 30 50.0 51.5 19.25 14.0 0.01 0.0 0.0 0.0",
    ]
    images = (model / "images.txt").read_text("utf-8").splitlines()
    assert images[9:11] == ["5 0.0 1.0 0.0 0.0 0.0 0.0 0.0 1 view_4.png", ""]
    assert (model / "points3D.txt").read_text("utf-8").startswith("#")


def test_names_that_text_cannot_hold(tmp_path):
    """A blank in the name of an image is refused: COLMAP would read half of the name."""
    (frame,) = frames_in(tmp_path, [(Intrinsics(40, 30, 50, 50, 20, 15), Distortion(), np.eye(4))])
    broken = frame.with_image(tmp_path / "images" / "a b.png")
    with pytest.raises(BadImage, match="text files"):
        write_colmap_model(tmp_path, [broken])


@pytest.mark.parametrize("is_fisheye", [False, True])
def test_pycolmap_reads_it(tmp_path, is_fisheye):
    """COLMAP itself projects a point to where our camera shows it."""
    pycolmap = pytest.importorskip("pycolmap", reason="the extra `photos` is not installed")
    pinhole = Intrinsics(40, 30, 50.0, 51.5, 19.25, 14.0)
    radial = (-0.05, 0.02, 0.0, 0.0, 0.0, 0.0)
    pose = colmap_to_camera_to_world((0.9, 0.2, -0.3, 0.1), (0.2, -0.1, 4.0))
    found = [(pinhole, Distortion(radial, is_fisheye=is_fisheye), pose)]
    (frame,) = frames_in(tmp_path, found)
    write_colmap_model(tmp_path, [frame])
    model = pycolmap.Reconstruction(tmp_path / "sparse" / "0")
    (image,) = model.images.values()
    point = np.array([0.3, -0.2, 0.4])
    local = (point - pose[:3, 3]) @ pose[:3, :3]
    flat = np.array([local[0], -local[1]]) / -local[2]
    expected = frame.lens.pixels(frame.lens.distortion.distort(flat))
    assert image.name == "view_0.png"
    assert image.project_point(point) == pytest.approx(expected, abs=1e-9)
