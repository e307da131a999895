# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The capture folder: errors in it are named, and a written one is read unchanged."""

from __future__ import annotations

import contextlib
import json
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.shared.cameras import Intrinsics
from backend.shared.capture.capture import BoundingSphere, Frame
from backend.shared.capture.colmap_poses import colmap_to_camera_to_world
from backend.shared.capture.json_files import read_capture_json, write_capture_json
from backend.shared.capture.reader import read_capture
from backend.shared.capture.writer import write_transforms
from backend.shared.errors import BadCamera, BadCapture, BadImage, LsrmError, TooFewViews


def test_byte_order_mark(tmp_path, put_capture):
    """A file with the byte order mark of Windows is read."""
    put_capture(tmp_path, {"fl_x": 50}, [{"file_path": "a.png"}])
    path = tmp_path / "transforms.json"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(read_capture(path).frames) == 1


@pytest.mark.parametrize("pose", [None, [[1, 0], [0, 1]], (2 * np.eye(4)).tolist()])
def test_bad_pose(tmp_path, pose, put_capture):
    """A pose that is missing or no rotation is an error with the view's name."""
    frame = {"file_path": "a_07.png", "transform_matrix": pose}
    put_capture(tmp_path, {"fl_x": 50}, [frame])
    with pytest.raises(BadCamera, match="a_07"):
        read_capture(tmp_path)


STRANGE = [None, True, -1, 1e308, math.nan, 10**400, "", "/", "a" * 5000, [], [[None] * 4] * 4, {}]


@pytest.mark.parametrize("strange", STRANGE, ids=range(len(STRANGE)))
def test_strange_values(tmp_path, strange, put_capture, put_image):
    """Whatever value any key has, the result is a capture or an LsrmError."""
    put_image(tmp_path / "a.png")
    keys = ["camera_model", "w", "fl_x", "camera_angle_y", "cx", "k1", "rolling_shutter", "scale"]
    keys_and_levels = [(top, key) for top in (True, False) for key in keys]
    keys_and_levels += [(False, key) for key in ("file_path", "mask_path", "transform_matrix")]
    for at_top, key in keys_and_levels:
        change = {key: strange}
        frame = {"file_path": "a.png", "fl_x": 50, "h": 30}
        put_capture(tmp_path, change if at_top else {}, [frame])
        if not at_top:
            document = json.loads((tmp_path / "transforms.json").read_text())
            document["frames"][0] |= change
            (tmp_path / "transforms.json").write_text(json.dumps(document))
        with contextlib.suppress(LsrmError):
            assert len(read_capture(tmp_path).frames) == 1


def test_nan_in_a_pose(tmp_path, put_capture, plain_pose):
    """NaN, which Python's JSON reads, is an error with the view's name."""
    pose = [[math.nan, *row[1:]] for row in plain_pose]
    put_capture(tmp_path, {"fl_x": 50}, [{"file_path": "a_07.png", "transform_matrix": pose}])
    with pytest.raises(BadCamera, match=r"a_07 .*not finite"):
        read_capture(tmp_path)


def test_missing_files_are_all_listed(tmp_path, put_capture):
    """One error names every missing image and mask."""
    frames = [
        {"file_path": "a.png", "mask_path": "masks/a.png"},
        {"file_path": "images/b"},
        {"file_path": "c"},
    ]
    put_capture(tmp_path, {"fl_x": 50}, frames)
    with pytest.raises(BadImage, match=r"missing in .*: masks/a.png, images/b, c\."):
        read_capture(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff",
        b"\xff\xd8\xff\xe0\x00\x10",
        b"GIF89a" + b"0" * 40,
    ],
    ids=["empty", "png signature", "jpeg signature", "jpeg segment", "gif"],
)
def test_not_an_image(tmp_path, content, put_capture):
    """A file that is not a PNG or JPEG, or only the beginning of one, is an error."""
    put_capture(tmp_path, {"fl_x": 50}, [{"file_path": "a.png"}])
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(BadImage, match=r"a\.png"):
        read_capture(tmp_path)


BAD_FILES = {
    "not json": "frames",
    "comment": '{"frames": [] // none\n}',
    "a list": "[]",
    "no frames": "{}",
    "frames of text": '{"frames": ["a.png"]}',
    "no path": '{"frames": [{"transform_matrix": []}]}',
    "path of zero": '{"frames": [{"file_path": "a\\u0000.png"}]}',
    "twice": '{"frames": [{"file_path": "a.png"}, {"file_path": ".\\\\a.png"}]}',
    "deep": "[" * 100_000,
}


@pytest.mark.parametrize("text", BAD_FILES.values(), ids=BAD_FILES.keys())
def test_bad_file(tmp_path, text):
    """A transforms.json that is not valid is an error."""
    (tmp_path / "transforms.json").write_text(text, encoding="utf-8")
    with pytest.raises(BadCapture):
        read_capture(tmp_path)


def test_not_utf8(tmp_path):
    """Another encoding than UTF-8 is an error."""
    (tmp_path / "transforms.json").write_bytes("{}".encode("utf-16"))
    with pytest.raises(BadCapture, match="not valid JSON"):
        read_capture(tmp_path)


def test_no_capture(tmp_path):
    """A folder without cameras is an error with the expected file names."""
    with pytest.raises(BadCapture, match=r"transforms\.json, transforms_train\.json"):
        read_capture(tmp_path)
    with pytest.raises(BadCapture, match="There is no folder"):
        read_capture(tmp_path / "nowhere")


def test_no_views(tmp_path, put_capture):
    """A capture without frames has too few views."""
    with pytest.raises(TooFewViews, match="no views"):
        read_capture(put_capture(tmp_path, {}, []))


small = st.floats(-1, 1, allow_subnormal=False)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(
    quaternion=st.tuples(small, small, small, small).filter(lambda q: np.linalg.norm(q) > 0.1),
    position=st.tuples(*[st.floats(-1e6, 1e6)] * 3),
    lens=st.tuples(*[st.floats(0.1, 1e5)] * 2, *[st.floats(-3e4, 3e4)] * 2),
)
def test_write_and_read(tmp_path, quaternion, position, lens, put_image):
    """A written capture is read unchanged to the last bit."""
    put_image(tmp_path / "images" / "a.png")
    put_image(tmp_path / "masks" / "a.png")
    frame = Frame(
        name="a",
        image_path=tmp_path / "images" / "a.png",
        mask_path=tmp_path / "masks" / "a.png",
        intrinsics=Intrinsics(40, 30, *lens),
        camera_to_world=colmap_to_camera_to_world(quaternion, position),
    )
    write_transforms(tmp_path / "transforms.json", [frame])
    (read,) = read_capture(tmp_path).frames
    assert (read.camera_to_world == frame.camera_to_world).all()
    assert (read.name, read.image_path, read.mask_path, read.intrinsics) == (
        *(frame.name, frame.image_path, frame.mask_path, frame.intrinsics),
    )


def test_written_file(tmp_path):
    """A written file has intrinsics and a relative path for every frame, and stands alone."""
    frame = Frame("a", tmp_path / "images" / "a.png", None, Intrinsics(4, 3, 5, 5, 2, 1), np.eye(4))
    write_transforms(tmp_path / "transforms.json", [frame])
    (written,) = json.loads((tmp_path / "transforms.json").read_text())["frames"]
    assert written == {
        "file_path": "images/a.png",
        "w": 4,
        "h": 3,
        "fl_x": 5,
        "fl_y": 5,
        "cx": 2,
        "cy": 1,
        "transform_matrix": np.eye(4).tolist(),
    }
    assert [path.name for path in tmp_path.iterdir()] == ["transforms.json"]


def test_failed_write_keeps_the_old_file(tmp_path):
    """A number that JSON cannot express leaves the previous file unchanged."""
    write_capture_json(tmp_path, {"seed": 1})
    with pytest.raises(ValueError, match="JSON"):
        write_capture_json(tmp_path, {"seed": math.nan})
    assert read_capture_json(tmp_path) == {"seed": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["capture.json"]


def test_capture_json(tmp_path, put_capture):
    """The bounding sphere and the environment of a capture are read."""
    put_capture(tmp_path, {"fl_x": 50}, [{"file_path": "a.png"}])
    assert read_capture_json(tmp_path) == {}
    assert read_capture(tmp_path).bounding_sphere is None
    assert read_capture(tmp_path).environment is None
    info = {"source": "Stuhl", "bounding_sphere": {"center": [1, 2, 3], "radius": 0.5}}
    write_capture_json(tmp_path, info)
    (tmp_path / "environment.hdr").touch()
    capture = read_capture(tmp_path)
    assert capture.bounding_sphere == BoundingSphere((1.0, 2.0, 3.0), 0.5)
    assert capture.environment == tmp_path / "environment.hdr"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (["The library is missing.", "The fog is left out."],) * 2,
        ([], []),
        ("no list", []),
        ([7], ["7"]),
    ],
)
def test_warnings_of_the_capture_are_those_of_the_views(tmp_path, put_capture, written, read):
    """What was said when views were captured is said again when they are used."""
    put_capture(tmp_path, {"fl_x": 50}, [{"file_path": "a.png"}])
    write_capture_json(tmp_path, {"warnings": written})
    assert list(read_capture(tmp_path).warnings) == read


@pytest.mark.parametrize(
    "sphere",
    [
        {"center": [0, 0], "radius": 1},
        {"center": [0, 0, 0], "radius": 0},
        {"center": [0, 0, None], "radius": 1},
        [0, 0, 0, 1],
        {"center": [0, 0, 0], "radius": "NaN"},
    ],
)
def test_bad_bounding_sphere(tmp_path, sphere, put_capture):
    """A sphere without a valid center or radius is an error."""
    put_capture(tmp_path, {"fl_x": 50}, [{"file_path": "a.png"}])
    write_capture_json(tmp_path, {"bounding_sphere": sphere})
    with pytest.raises(BadCapture, match="bounding sphere"):
        read_capture(tmp_path)
