# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""All dialects of transforms.json are read; cameras that no pinhole can show are errors."""

from __future__ import annotations

import math
from dataclasses import astuple

import pytest

from backend.shared.cameras import Intrinsics
from backend.shared.capture.frame_files import frame_names
from backend.shared.capture.reader import read_capture
from backend.shared.errors import BadCamera, BadImage
from backend.shared.lenses import Distortion


@pytest.fixture
def lens_of(tmp_path, put_capture):
    """A function that returns the intrinsics of a capture with one frame."""

    def read(top):
        put_capture(tmp_path, top, [{"file_path": "a.png"}])
        return read_capture(tmp_path).frames[0].intrinsics

    return read


def test_nerf_synthetic(tmp_path, put_capture, put_image, plain_pose):
    """NeRF synthetic scenes: an angle, no extension, no size, a `rotation` to ignore."""
    put_image(tmp_path / "train" / "r_0.png")
    put_image(tmp_path / "train" / "r_0.5.png")
    frames = [{"file_path": f"./train/{name}", "rotation": 0.01} for name in ("r_0", "r_0.5")]
    put_capture(tmp_path, {"camera_angle_x": 0.6911112}, frames, "transforms_train.json")
    capture = read_capture(tmp_path)
    assert [frame.name for frame in capture.frames] == ["r_0", "r_0.5"]
    assert capture.frames[1].image_path == tmp_path / "train" / "r_0.5.png"
    assert capture.frames[0].mask_path is None
    focal = 20 / math.tan(0.6911112 / 2)
    assert astuple(capture.frames[0].intrinsics) == (40, 30, focal, focal, 20, 15)
    assert (capture.frames[0].camera_to_world == plain_pose).all()
    assert capture.warnings == ()


def test_stanford_orb(tmp_path, put_capture, put_image):
    """Stanford-ORB: an angle per frame, masks in a sibling folder."""
    put_image(tmp_path / "test" / "0001.png")
    put_image(tmp_path / "test_mask" / "0001.png")
    frames = [{"file_path": "./test/0001", "camera_angle_x": 0.5}]
    put_capture(tmp_path, {"camera_angle_x": 0.9}, frames)
    (frame,) = read_capture(tmp_path).frames
    assert frame.mask_path == tmp_path / "test_mask" / "0001.png"
    assert frame.intrinsics.fx == 20 / math.tan(0.25)


def test_lsrm_release(tmp_path, put_capture, put_image, plain_pose):
    """The LSRM release: transforms_input.json, a list of angles, mask/ beside input/."""
    for name in ("a", "b"):
        put_image(tmp_path / "input" / f"{name}.png")
        put_image(tmp_path / "mask" / f"{name}.png")
    top = {"camera_angle_x": [0.5, 0.6], "scale": 2.0}
    frames = [{"file_path": f"input/{name}"} for name in ("a", "b")]
    put_capture(tmp_path, top, frames, "transforms_input.json")
    capture = read_capture(tmp_path)
    angles = [2 * math.atan(20 / frame.intrinsics.fx) for frame in capture.frames]
    assert angles == pytest.approx([0.5, 0.6])
    assert capture.frames[1].mask_path == tmp_path / "mask" / "b.png"
    assert (capture.frames[0].camera_to_world == plain_pose).all()
    assert "scale of 2.0 is not applied" in capture.warnings[0]


def test_instant_ngp(tmp_path, put_capture, put_image):
    """instant-ngp: focal lengths, its own box and sharpness, backslashes, absolute paths."""
    other = tmp_path / "elsewhere" / "b.png"
    put_image(other)
    top = {"fl_x": 50, "fl_y": 51, "cx": 19, "cy": 14, "w": 40.0, "h": 30.0, "k1": 0, "p2": 0.0}
    top |= {"aabb_scale": 16, "offset": [0.5, 0.5, 0.5], "camera_angle_x": 2 * math.atan(0.4)}
    frames = [
        {"file_path": "images\\a.png", "sharpness": 30.1},
        {"file_path": str(other), "fl_x": 60, "cy": 13},
    ]
    capture = read_capture(put_capture(tmp_path / "views", top, frames))
    assert astuple(capture.frames[0].intrinsics) == (40, 30, 50, 51, 19, 14)
    # A frame that gives one focal length has square pixels, whatever the top level says.
    assert astuple(capture.frames[1].intrinsics) == (40, 30, 60, 60, 19, 13)
    assert capture.frames[1].image_path == other
    assert capture.warnings == ()


@pytest.mark.parametrize(
    ("top", "focal"),
    [
        ({"x_fov": 60}, (20 / math.tan(math.radians(30)),) * 2),
        ({"y_fov": 60}, (15 / math.tan(math.radians(30)),) * 2),
        ({"camera_angle_x": 1, "camera_angle_y": 0.8}, (20 / math.tan(0.5), 15 / math.tan(0.4))),
        ({"fl_y": 44}, (44, 44)),
        ({"fl_x": 44, "x_fov": None}, (44, 44)),
    ],
)
def test_keys_of_the_focal_length(lens_of, top, focal):
    """Degrees, radians or pixels, along one side or both."""
    lens = lens_of(top)
    assert (lens.fx, lens.fy) == pytest.approx(focal)


def test_nerfstudio(tmp_path, put_capture, put_image, plain_pose):
    """nerfstudio: a camera model, masks by name, an applied transform."""
    put_image(tmp_path / "masks" / "x.png")
    top = {"camera_model": "OPENCV", "w": 40, "h": 30, "fl_x": 50, "fl_y": 50, "cx": 20, "cy": 15}
    top |= {"k1": 0.0, "applied_transform": [[1, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0]]}
    frames = [{"file_path": "images/a.png", "mask_path": "masks/x.png"}]
    capture = read_capture(put_capture(tmp_path, top, frames))
    assert capture.frames[0].mask_path == tmp_path / "masks" / "x.png"
    assert (capture.frames[0].camera_to_world == plain_pose).all()
    assert "applied_transform" in capture.warnings[0]


@pytest.mark.parametrize(("ratio", "warns"), [(1.004, False), (1.006, True), (0.994, True)])
def test_warning_of_two_focal_lengths(tmp_path, ratio, warns, put_capture):
    """If focal length and angle differ by 0.5 %, the former is used, with a warning."""
    angle = 2 * math.atan(20 / (50 * ratio))
    put_capture(tmp_path, {"fl_x": 50, "camera_angle_x": angle}, [{"file_path": "a.png"}])
    capture = read_capture(tmp_path)
    assert capture.frames[0].intrinsics.fx == 50
    assert [" disagree" in warning for warning in capture.warnings] == [True] * warns


def test_mask_beside_images(tmp_path, put_capture, put_image):
    """masks/ beside images/ is found without a mask_path."""
    put_image(tmp_path / "masks" / "a.png")
    put_capture(tmp_path, {"fl_x": 50}, [{"file_path": "images/a.jpg"}])
    assert read_capture(tmp_path).frames[0].mask_path == tmp_path / "masks" / "a.png"


def test_names_are_unique_and_in_order(tmp_path, put_capture):
    """Frames keep the file's order; equal stems get the names of their folders."""
    paths = ["cam10/0001.png", "cam2/0001.png", "cam2/0002.jpg", "cam2/0002.png", "../o/0009.png"]
    folder = put_capture(tmp_path / "v", {"fl_x": 50}, [{"file_path": path} for path in paths])
    names = [frame.name for frame in read_capture(folder).frames]
    assert names == ["cam10_0001", "cam2_0001", "cam2_0002", "cam2_0002_2", "0009"]


def test_names_have_no_drives_and_dots():
    """Names can be file names, whatever the paths are."""
    paths = ["C:\\a\\1.png", "/b/1.png", "../c/1.png", "./1.png", "d/1"]
    assert frame_names(paths) == ["a_1", "b_1", "c_1", "1", "d_1"]
    assert frame_names(["1.png", "1.jpg", "1.jpeg"]) == ["1", "1_2", "1_3"]


def test_all_images_resized(tmp_path, put_capture):
    """If the size is stated once and all images were resized in the same way, so is the lens."""
    top = {"w": 400, "h": 300, "fl_x": 500, "fl_y": 510, "cx": 190, "cy": 155}
    put_capture(tmp_path, top, [{"file_path": "a.png"}, {"file_path": "b.png"}])
    capture = read_capture(tmp_path)
    for frame in capture.frames:
        assert astuple(frame.intrinsics) == pytest.approx((40, 30, 50, 51, 19, 15.5))
    assert "40 x 30 instead of 400 x 300" in capture.warnings[0]


@pytest.mark.parametrize(
    ("top", "frame"),
    [
        ({"w": 80, "h": 80}, {}),
        ({}, {"w": 80, "h": 60}),
    ],
    ids=["another shape", "stated for the frame"],
)
def test_image_of_another_size(tmp_path, top, frame, put_capture):
    """An image of another size than stated is an error with both sizes."""
    put_capture(tmp_path, {"fl_x": 50, **top}, [{"file_path": "a.png", **frame}])
    with pytest.raises(BadImage, match=r"view a is 40 x 30 pixels, stated are 80 x"):
        read_capture(tmp_path)


def test_one_image_of_another_size(tmp_path, put_capture, put_image):
    """If only one image was resized, it is an error."""
    put_capture(tmp_path, {"fl_x": 50, "w": 40, "h": 30}, [{"file_path": f"{i}.png"} for i in "ab"])
    put_image(tmp_path / "b.png", (20, 15))
    with pytest.raises(BadImage, match=r"view b is 20 x 15.*1 of 2"):
        read_capture(tmp_path)


def test_images_resized_differently(tmp_path, put_capture, put_image):
    """Images of two sizes, neither of them the stated one, are an error."""
    top = {"fl_x": 500, "w": 400, "h": 300}
    put_capture(tmp_path, top, [{"file_path": f"{i}.png"} for i in "ab"])
    put_image(tmp_path / "b.png", (20, 15))
    with pytest.raises(BadImage, match=r"view a is 40 x 30.*2 of 2"):
        read_capture(tmp_path)


def test_unrounded_size(lens_of):
    """A width of 40.8 is a Blender render at a percentage: it has 40 pixels."""
    lens = lens_of({"fl_x": 50, "w": 40.8, "h": 30.0, "cx": 20.4})
    assert (lens.width, lens.cx) == (40, 20.4)


BAD_LENSES = {
    "no focal length": ({}, "no focal length"),
    "nan": ({"fl_x": math.nan}, "fl_x = nan"),
    "text": ({"fl_x": "50"}, "fl_x = 50"),
    "true": ({"fl_x": True}, "not a finite number"),
    "infinite": ({"fl_x": 50, "cx": math.inf}, "cx = inf"),
    "negative": ({"fl_x": -50}, "fl_x = -50"),
    "degrees for radians": ({"camera_angle_x": 40}, "camera_angle_x = 40"),
    "zero degrees": ({"x_fov": 0}, "x_fov = 0"),
    "no size": ({"fl_x": 50, "w": 0, "h": 30}, "0 x 30"),
    "distortion of no lens": ({"fl_x": 50, "k1": -1e6, "p2": -0.02}, r"k1 = -1e\+06, p2 = -0\.02"),
    "distortion that overflows": ({"fl_x": 50, "k1": 1e300}, r"k1 = 1e\+300"),
    "fisheye with p1": ({"fl_x": 50, "is_fisheye": True, "p1": 0.1}, "fisheye lens with"),
    "equirectangular": ({"fl_x": 50, "camera_model": "EQUIRECTANGULAR"}, "EQUIRECTANGULAR"),
    "equirectangular of instant-ngp": ({"fl_x": 50, "equirectangular": True}, "equirectangular"),
    "f-theta": ({"fl_x": 50, "ftheta_p0": 0.1}, "ftheta_p0"),
    "rolling shutter": ({"fl_x": 50, "rolling_shutter": [0, 0, 0.01]}, "rolling shutter"),
}


@pytest.mark.parametrize("at_top", [True, False], ids=["top", "frame"])
@pytest.mark.parametrize(("values", "message"), BAD_LENSES.values(), ids=BAD_LENSES.keys())
def test_bad_lens(tmp_path, values, message, at_top, put_capture):
    """A missing or impossible lens, or no pinhole, is an error with the view and the value."""
    frame = {"file_path": "a_07.png"} | ({} if at_top else values)
    put_capture(tmp_path, values if at_top else {}, [frame])
    with pytest.raises(BadCamera, match=message) as caught:
        read_capture(tmp_path)
    assert "a_07" in caught.value.message


def test_distortion_of_zero_and_no_rolling_shutter(lens_of):
    """Parameters of zero are those of a pinhole."""
    top = {"fl_x": 50, "k1": 0, "k4": 0.0, "is_fisheye": False, "rolling_shutter": [0, 0, 0, 0]}
    assert lens_of(top) == Intrinsics(40, 30, 50, 50, 20, 15)


def test_distortion(tmp_path, put_capture):
    """The distortion of a frame overrides that of the file, and the view is its pinhole's."""
    top = {"fl_x": 30, "fl_y": 31, "k1": -0.1, "k2": 0.01, "k3": 0.002, "p1": 1e-3, "p2": -2e-3}
    frames = [{"file_path": "a.png"}, {"file_path": "b.png", "k1": 0.2, "k4": 0.01}]
    first, second = read_capture(put_capture(tmp_path, top, frames)).frames
    assert first.lens.distortion == Distortion((-0.1, 0.01, 0.002, 0, 0, 0), (1e-3, -2e-3))
    assert second.lens.distortion == Distortion((0.2, 0.01, 0.002, 0.01, 0, 0), (1e-3, -2e-3))
    assert first.lens.intrinsics == first.intrinsics_on_disk == Intrinsics(40, 30, 30, 31, 20, 15)
    assert first.intrinsics == first.lens.pinhole()
    assert first.intrinsics.width > 40 > second.intrinsics.width


@pytest.mark.parametrize(
    "top", [{"camera_model": "OPENCV_FISHEYE"}, {"is_fisheye": True}], ids=["model", "key"]
)
def test_fisheye(lens_of, top):
    """A fisheye distorts also where its coefficients are zero."""
    lens = lens_of({"fl_x": 20, "k1": 0.0, **top})
    assert lens.width > 50


def test_distortion_of_resized_images(tmp_path, put_capture):
    """The coefficients of a lens do not depend on the size of the image."""
    top = {"w": 400, "h": 300, "fl_x": 500, "k1": -0.2}
    (frame,) = read_capture(put_capture(tmp_path, top, [{"file_path": "a.png"}])).frames
    assert frame.lens.intrinsics == Intrinsics(40, 30, 50, 50, 20, 15)
    assert frame.lens.distortion == Distortion((-0.2, 0, 0, 0, 0, 0))


def test_photographs(shared):
    """The photographs of the tankard: 69 views with masks, a pinhole camera of 2343.83 px."""
    capture = read_capture(shared / "data" / "captures" / "maryrose_tankard")
    assert len(capture.frames) == 69
    assert capture.warnings == ()
    assert all(frame.mask_path is not None for frame in capture.frames)
    assert capture.frames[0].intrinsics == Intrinsics(
        768, 768, 2343.8319289018073, 2343.8319289018073, 384, 384
    )


@pytest.mark.parametrize("key", ["camera_angle_x", "camera_angle_y", "x_fov"])
def test_one_angle_for_two_shapes(tmp_path, put_capture, put_image, key):
    """One angle for portrait and landscape pictures is refused; an angle per frame is not."""
    frames = [{"file_path": "a.png"}, {"file_path": "b.png"}]
    put_capture(tmp_path, {key: 0.8}, frames)
    read_capture(tmp_path)
    put_image(tmp_path / "b.png", (30, 40))
    with pytest.raises(BadCamera, match=r"different shapes \(30 x 40, 40 x 30\)"):
        read_capture(tmp_path)
    put_capture(tmp_path / "own", {key: 0.8}, [{**frame, key: 0.7} for frame in frames])
    put_image(tmp_path / "own" / "b.png", (30, 40))
    assert len(read_capture(tmp_path / "own").frames) == 2


def test_one_angle_for_two_sizes(tmp_path, put_capture, put_image):
    """One angle fits images of one shape in two sizes, or of one width cut to two heights."""
    put_capture(tmp_path, {"camera_angle_x": 0.8}, [{"file_path": "a.png"}, {"file_path": "b.png"}])
    for size in ((80, 60), (40, 20)):
        put_image(tmp_path / "b.png", size)
        assert len(read_capture(tmp_path).frames) == 2
