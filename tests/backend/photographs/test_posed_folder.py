# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Photographs without cameras become a capture folder, or an error that names what is wrong."""

from __future__ import annotations

import json
import sys
import threading
import time
from importlib import util
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from backend.photographs import structure_from_motion
from backend.photographs.posed_folder import pose_photographs
from backend.photographs.structure_from_motion import choose_pairs
from backend.shared.capture.reader import read_capture
from backend.shared.errors import (
    BackendDied,
    Cancelled,
    EnvironmentBroken,
    OutputNotWritable,
    TooFewViews,
)
from backend.shared.progress import Progress
from tests.textured_scene import write_photographs

needs_pycolmap = pytest.mark.skipif(
    util.find_spec("pycolmap") is None, reason="the extra `photos` is not installed"
)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A folder of twelve photographs, and the poses they were taken from."""
    folder = tmp_path_factory.mktemp("photos")
    return folder, write_photographs(folder, 12)


@needs_pycolmap
@pytest.mark.slow
def test_cameras_of_photographs(tmp_path, photos):
    """The poses are those of the photographs after a similarity, and the lens is that of them."""
    folder, true = photos
    stages = []
    progress = Progress(lambda stage, _fraction, _message: stages.append(stage))
    count, warnings = pose_photographs(folder, tmp_path / "views", progress)
    assert (count, warnings) == (12, [])
    assert list(dict.fromkeys(stages)) == [
        *("photographs", "features", "matching", "cameras", "write")
    ]
    capture = read_capture(tmp_path / "views")
    assert capture.warnings == ()
    lens = capture.frames[0].lens
    assert lens.intrinsics.fx == pytest.approx(1.1 * 360, rel=0.01)
    assert lens.distortion.radial[0] == pytest.approx(-0.06, abs=0.02)
    poses = np.stack([frame.camera_to_world for frame in capture.frames])
    angles, distances = differences(poses, np.stack(true))
    assert angles.max() < 0.5
    assert distances.max() < 0.005
    # Level cameras: up is up, and the heights differ as they did.
    heights = poses[:, 2, 3]
    expected = np.array([pose[2, 3] for pose in true])
    assert np.corrcoef(heights, expected)[0, 1] > 0.999
    # The bytes of the photographs are kept.
    first = capture.frames[0].image_path
    assert first.read_bytes() == (folder / first.name).read_bytes()
    description = json.loads((tmp_path / "views" / "capture.json").read_text("utf-8"))
    assert description["source"] == {"name": folder.name, "photographs": str(folder.resolve())}
    assert description["cameras"]["by"].startswith("pycolmap")


def differences(poses, others):
    """Angles in degrees, and distances per mean distance from the center, after a similarity."""
    centers, targets = poses[:, :3, 3], others[:, :3, 3]
    start, goal = centers - centers.mean(axis=0), targets - targets.mean(axis=0)
    left, values, right = np.linalg.svd(goal.T @ start)
    flip = np.diag([1.0, 1.0, np.linalg.det(left @ right)])
    turn = left @ flip @ right
    scale = (values * np.diag(flip)).sum() / (start**2).sum()
    error = np.linalg.norm(scale * start @ turn.T - goal, axis=1)
    turned = turn @ poses[:, :3, :3]
    cosine = (np.einsum("nij,nij->n", turned, others[:, :3, :3]) - 1) / 2
    distance = np.linalg.norm(targets - (0.0, 0.0, 0.2), axis=1).mean()
    return np.degrees(np.arccos(np.clip(cosine, -1, 1))), error / distance


@needs_pycolmap
def test_photographs_that_do_not_connect(tmp_path):
    """Photographs without anything in common are named, and nothing is written."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for index in range(8):
        pixels = np.random.default_rng(index).integers(0, 256, (12, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((160, 120)).save(folder / f"IMG_{index}.jpg")
    with pytest.raises(TooFewViews, match=r"of 8|the 8.*IMG_0, IMG_1"):
        pose_photographs(folder, tmp_path / "views", Progress())
    assert not (tmp_path / "views").exists()


def stand_in(monkeypatch, tmp_path, code):
    """Replace pycolmap's process by a script that has the folder as its argument."""
    (tmp_path / "stand_in.py").write_text(code, "utf-8")
    library = SimpleNamespace(__file__=str(tmp_path / "pycolmap" / "__init__.py"))
    monkeypatch.setattr(structure_from_motion, "PROCESS", "stand_in")
    monkeypatch.setattr(
        structure_from_motion, "PHOTOS", SimpleNamespace(load=lambda _module: library)
    )


def test_cancel(tmp_path, photos, monkeypatch):
    """A cancel ends the other process within a second, and nothing is written."""
    stand_in(
        monkeypatch,
        tmp_path,
        "import time\nprint('[\"matching\", 0.5]', flush=True)\ntime.sleep(60)\n",
    )
    progress = Progress(lambda stage, _f, _m: started.set() if stage == "matching" else None)
    started = threading.Event()
    ended = {}

    def wait_and_cancel():
        started.wait(60)
        ended["cancelled"] = time.monotonic()
        progress.cancel()

    thread = threading.Thread(target=wait_and_cancel)
    thread.start()
    with pytest.raises(Cancelled):
        pose_photographs(photos[0], tmp_path / "views", progress)
    assert time.monotonic() - ended["cancelled"] < 1.5
    thread.join()
    assert not (tmp_path / "views").exists()


def test_process_that_fails(tmp_path, photos, monkeypatch):
    """If the other process dies, the error has its last words."""
    stand_in(monkeypatch, tmp_path, "import sys\nsys.exit('no database')\n")
    with pytest.raises(BackendDied, match="ended with 1: no database"):
        pose_photographs(photos[0], tmp_path / "views", Progress())


def test_missing_extra(tmp_path, photos, monkeypatch):
    """Without pycolmap the error names the command that installs it."""
    monkeypatch.setitem(sys.modules, "pycolmap", None)
    with pytest.raises(EnvironmentBroken, match=r"install --extra photos") as caught:
        pose_photographs(photos[0], tmp_path / "views", Progress())
    assert "photos" in caught.value.message


@pytest.mark.parametrize("name", ["notes.txt", "masks"])
def test_folder_with_other_files(tmp_path, photos, name):
    """Nothing but an earlier folder of this kind is replaced, and no masks."""
    (tmp_path / "views").mkdir()
    (tmp_path / "views" / "capture.json").write_text('{"source": {"photographs": "/photos"}}')
    (tmp_path / "views" / name).mkdir()
    with pytest.raises(OutputNotWritable, match=name):
        pose_photographs(photos[0], tmp_path / "views", Progress())


def test_pairs():
    """Few photographs are all compared; of many, neighbors and some of all."""
    assert len(list(choose_pairs("abcde"))) == 10
    names = [str(index) for index in range(200)]
    pairs = set(choose_pairs(names))
    assert len(pairs) < 200 * 199 / 4
    assert {("3", "9"), ("0", "199"), ("6", "111")} <= pairs
    assert all(int(one) < int(other) for one, other in pairs)
