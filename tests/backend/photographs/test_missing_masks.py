# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Masks that are made of photographs: how good they are, where they are stored, what is refused."""

from __future__ import annotations

import importlib.util
import shutil
import sys

import numpy as np
import pytest
from PIL import Image

from backend.commands.masks import run as run_masks
from backend.photographs.mask_source import MaskSource
from backend.photographs.missing_masks import add_missing_masks, have_masks
from backend.pipeline import reconstruct
from backend.request import ReconstructRequest
from backend.shared.capture.reader import read_capture
from backend.shared.errors import Cancelled, EmptyMask, EnvironmentBroken, TooFewViews
from backend.shared.progress import Progress
from tests.photographs import true_mask, write_photographs

needs_opencv = pytest.mark.skipif(
    importlib.util.find_spec("cv2") is None, reason="needs the extra `photos`"
)
SCENES = [
    ("turntable", "figure"),
    ("table", "figure"),
    ("studio", "figure"),
    ("turntable", "arch"),
    ("table", "arch"),
    ("studio", "bowl"),
]


def complete(folder, result=None, model=None, progress=None):
    """Make the masks of a capture folder."""
    capture = read_capture(folder)
    masked = have_masks(capture.frames)
    source = MaskSource(model)
    return add_missing_masks(capture, masked, result or folder, source, progress or Progress())


def overlaps(folder, frames):
    """Intersection over union of the masks of frames with the true ones."""
    found = []
    for frame in frames:
        mask, true = np.asarray(Image.open(frame.mask_path)) >= 128, true_mask(folder, frame.name)
        found.append((mask & true).sum() / (mask | true).sum())
    return found


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Photographs of a figure on a table; copy them before masks are made."""
    return write_photographs(tmp_path_factory.mktemp("photographs") / "views", "table", views=10)


@pytest.fixture
def folder(photographs, tmp_path):
    """A copy to write to."""
    return shutil.copytree(photographs, tmp_path / "views")


@needs_opencv
@pytest.mark.parametrize(("surroundings", "subject"), SCENES, ids=map("-".join, SCENES))
def test_objects_and_surroundings(tmp_path, surroundings, subject):
    """An object is found on a turntable, on a table with other things, before a backdrop."""
    folder = write_photographs(tmp_path / "views", surroundings, subject, views=10)
    completed = complete(folder)
    found = overlaps(folder, completed.capture.frames)
    assert completed.made == 10
    assert np.mean(found) > 0.94
    assert min(found) > 0.88


@needs_opencv
def test_masks_are_stored_where_the_next_run_finds_them(folder):
    """They lie in masks/, the contact sheet beside it, and a note says what was done."""
    completed = complete(folder)
    assert completed.folder == folder / "masks"
    assert Image.open(completed.contact_sheet).size == (3 * 120, 4 * 96)
    assert completed.notes[0].startswith("10 of 10 views had no mask")
    again = read_capture(folder)
    assert [frame.mask_path for frame in again.frames] == [
        folder / "masks" / f"{frame.name}.png" for frame in again.frames
    ]
    assert all(have_masks(again.frames))


@needs_opencv
def test_only_missing_masks_are_made(folder):
    """Views with a mask keep it; the others are made with its help, and no file is overwritten."""
    (folder / "masks").mkdir()
    for name in ("0001", "0004"):
        shutil.copy(folder / "true_masks" / f"{name}.png", folder / "masks" / f"{name}.png")
    before = (folder / "masks" / "0001.png").read_bytes()
    completed = complete(folder)
    assert completed.made == 8
    assert (folder / "masks" / "0001.png").read_bytes() == before
    assert min(overlaps(folder, completed.capture.frames)) > 0.9


@needs_opencv
def test_masks_of_a_capture_that_cannot_be_written(folder, tmp_path):
    """They go to the folder of the result, where a file is in the way or nothing can be written."""
    (folder / "masks").write_text("in the way")
    completed = complete(folder, tmp_path / "result")
    assert completed.folder == tmp_path / "result" / "masks"
    assert {frame.mask_path.parent for frame in completed.capture.frames} == {completed.folder}


@needs_opencv
def test_images_in_folders(folder):
    """Masks have the folders of their images."""
    (folder / "images" / "left").mkdir()
    text = (folder / "transforms.json").read_text()
    for index in range(5):
        name = f"{index:04d}.png"
        (folder / "images" / name).rename(folder / "images" / "left" / name)
        text = text.replace(f"images/{name}", f"images/left/{name}")
    (folder / "transforms.json").write_text(text)
    complete(folder)
    assert (folder / "masks" / "left" / "0000.png").is_file()
    assert all(frame.mask_path for frame in read_capture(folder).frames)


@needs_opencv
def test_opaque_images_with_alpha_have_no_mask(folder):
    """An alpha channel that is opaque everywhere says nothing about the object."""
    for path in (folder / "images").glob("*.png"):
        Image.open(path).convert("RGBA").save(path)
    assert not any(have_masks(read_capture(folder).frames))
    assert complete(folder).made == 10


@needs_opencv
@pytest.mark.parametrize("scene", ["one color", "noise", "other pictures"])
def test_nothing_stands_out(folder, scene):
    """Where colors show no common object, the error says what helps."""
    rng = np.random.default_rng(0)
    for path in (folder / "images").glob("*.png"):
        size = np.asarray(Image.open(path)).shape
        pixels = {
            "one color": np.full(size, 120),
            "noise": rng.integers(0, 256, size),
            "other pictures": np.broadcast_to(
                rng.integers(0, 256, (1, size[1] // 8, 3)).repeat(8, axis=1), size
            ),
        }[scene]
        Image.fromarray(pixels.astype(np.uint8)).save(path)
    with pytest.raises(EmptyMask) as caught:
        complete(folder)
    assert "give masks" in caught.value.remedy
    assert not (folder / "masks").exists()


def test_too_few_photographs(tmp_path):
    """A few photographs give no shape."""
    folder = write_photographs(tmp_path / "views", "studio", views=3)
    with pytest.raises(TooFewViews, match="3 photographs"):
        complete(folder)


@needs_opencv
def test_cancel(folder):
    """A cancelled job writes nothing."""
    reports = []

    def listen(stage, fraction, message):
        reports.append((stage, fraction))
        if fraction > 0.3:
            progress.cancel()

    progress = Progress(listen)
    with pytest.raises(Cancelled):
        complete(folder, progress=progress)
    assert {stage for stage, _ in reports} == {"masks"}
    assert [fraction for _, fraction in reports] == sorted(fraction for _, fraction in reports)
    assert not (folder / "masks").exists()


def test_missing_library(folder, monkeypatch):
    """Without OpenCV, the error names the extra, its size and the command that installs it."""
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(EnvironmentBroken, match=r"photos \(0.1 GB") as caught:
        complete(folder)
    assert "python3 -m backend install --extra photos" in caught.value.remedy
    assert "0000_mask.png" in caught.value.remedy


@needs_opencv
def test_command(folder, tmp_path):
    """`masks` makes the masks alone, and does nothing the second time."""
    from argparse import Namespace

    arguments = Namespace(
        views=folder, output=tmp_path / "out", mask_model="", mask_backdrop="", json=True
    )
    result = run_masks(arguments)
    assert (result["made"], result["folder"]) == (10, str(folder / "masks"))
    assert (tmp_path / "out" / "masks.png").is_file()
    assert run_masks(arguments)["made"] == 0


@needs_opencv
def test_reconstruction_without_masks(folder, tmp_path):
    """Photographs without masks become a mesh, with a picture of the masks that were made."""
    request = ReconstructRequest(
        folder, tmp_path / "out", refine="off", texture_size="64", faces=500
    )
    report = reconstruct(request, Progress()).to_dict()
    assert report["counts"]["masks_made"] == 10
    assert "Look at masks.png" in report["warnings"][0]
    assert "masks" in [stage["name"] for stage in report["stages"]]
    assert (tmp_path / "out" / "masks.png").is_file()
    assert (tmp_path / "out" / "mesh.glb").is_file()


@pytest.mark.slow
@needs_opencv
def test_masks_of_real_photographs(shared, tmp_path):
    """The photographs of the tankard with their masks withheld.

    Two of the masks that come with it leave out the dark inside of its mouth.
    """
    source = shared / "data" / "captures" / "maryrose_tankard"
    folder = tmp_path / "views"
    shutil.copytree(source / "images", folder / "images")
    shutil.copytree(source / "masks", folder / "true_masks")
    text = (source / "transforms.json").read_text().replace('"mask_path"', '"other_path"')
    (folder / "transforms.json").write_text(text)
    found = overlaps(folder, complete(folder).capture.frames)
    assert len(found) == 69
    assert np.mean(found) >= 0.96
    assert sorted(found)[2] >= 0.9
