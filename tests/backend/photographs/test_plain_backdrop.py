# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Masks by the color of a plain backdrop: how good they are, and what is refused with its cause."""

from __future__ import annotations

import shutil
from argparse import Namespace

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from backend.commands.masks import run
from backend.photographs.mask_source import MaskSource
from backend.photographs.missing_masks import add_missing_masks, have_masks
from backend.shared.backdrop import Backdrop
from backend.shared.capture.reader import read_capture
from backend.shared.errors import BadRequest, EmptyMask
from backend.shared.progress import Progress
from tests.photographs import true_mask, write_photographs

WHITE, BLACK, GREEN = (235, 234, 230), (18, 17, 20), (20, 170, 70)
VIEWS = 3


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Photographs of a figure, whose surroundings are still to be replaced."""
    folder = tmp_path_factory.mktemp("photographs") / "views"
    return write_photographs(folder, "studio", views=VIEWS, size=(160, 128))


@pytest.fixture
def folder(photographs, tmp_path):
    """A copy to write to."""
    return shutil.copytree(photographs, tmp_path / "views")


def put_before(folder, color, falloff=0.0, paint=None):
    """Replace what surrounds the object by a color that falls off to the corners, with noise.

    `paint` changes the colors [height, width, 3] of a picture, given its true mask.
    """
    rng = np.random.default_rng(1)
    for frame in read_capture(folder).frames:
        image = np.asarray(Image.open(frame.image_path), np.float64)
        coverage = np.asarray(Image.open(folder / "true_masks" / frame.image_path.name)) / 255
        height, width = coverage.shape
        row, column = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
        backdrop = np.array(color) * (1 - falloff * (row**2 + column**2) / 2)[..., None]
        colors = coverage[..., None] * image + (1 - coverage[..., None]) * backdrop
        if paint is not None:
            paint(colors, coverage >= 0.5)
        noisy = (colors + 2.0 * rng.standard_normal(colors.shape)).clip(0, 255)
        Image.fromarray(np.rint(noisy).astype(np.uint8)).save(frame.image_path)


def complete(folder, text="auto"):
    """Make the masks of a capture folder."""
    capture, source = read_capture(folder), MaskSource(backdrop=Backdrop.parse(text))
    masked = have_masks(capture.frames)
    return add_missing_masks(capture, masked, folder, source, Progress())


def mistakes(folder, completed):
    """Wrong pixels of masks relative to the object; those half covered may be either."""
    found = []
    for frame in completed.capture.frames:
        mask = np.asarray(Image.open(frame.mask_path)) >= 128
        true = np.asarray(Image.open(folder / "true_masks" / f"{frame.name}.png")) / 255.0
        wrong = (mask != (true >= 0.5)) & (np.abs(true - 0.5) > 0.1)
        found.append(wrong.sum() / (true >= 0.5).sum())
    return found


@pytest.mark.parametrize(
    ("color", "text", "falloff"),
    [(WHITE, "white", 0.1), (BLACK, "auto", 0.0), (GREEN, "green", 0.1), (GREEN, "#14aa46", 0.0)],
)
def test_plain_backdrops(folder, color, text, falloff):
    """The object is found to half a pixel along its outline, also where light falls off."""
    put_before(folder, color, falloff)
    completed = complete(folder, text)
    assert completed.made == VIEWS
    assert max(mistakes(folder, completed)) < 0.005
    assert len(completed.notes) == 1


def test_colors_of_the_backdrop_inside(folder):
    """A white label stays with the object before white, and is named; green is a hole."""

    def paint(color):
        def put(colors, mask):
            rows, columns = np.nonzero(mask)
            top, left = int(np.median(rows)) - 4, int(np.median(columns)) - 4
            colors[top : top + 8, left : left + 8] = color

        return put

    put_before(folder, WHITE, paint=paint(WHITE))
    completed = complete(folder, "white")
    assert max(mistakes(folder, completed)) < 0.005
    assert "holes among them are filled: 0000" in completed.notes[1]
    shutil.rmtree(completed.folder)
    put_before(folder, GREEN, paint=paint(GREEN))
    completed = complete(folder, "green")
    assert min(mistakes(folder, completed)) > 0.01
    assert len(completed.notes) == 1


def test_other_things_before_the_backdrop(folder):
    """A ruler beside the object is not taken for it in silence; dust is no object."""

    def put(colors, _mask):
        colors[6:14, 6:36] = (30, 30, 30)
        colors[8:10, -12:-10] = (30, 30, 30)

    put_before(folder, WHITE, paint=put)
    notes = complete(folder).notes
    assert notes[1].startswith("Several things stand before the backdrop")
    assert notes[1].endswith("0000, 0001, 0002.")
    mask = np.asarray(Image.open(folder / "masks" / "0000.png"))
    assert mask[10, 20] == 255
    assert mask[8, -11] == 0


def stripes(colors, mask):
    """A patterned backdrop."""
    colors[~mask & (np.arange(colors.shape[1]) % 16 < 8)] = (90, 60, 50)


def shadow(colors, mask):
    """A soft shadow around the object."""
    depth = np.exp(-((ndimage.distance_transform_edt(~mask) / 16) ** 2))
    colors[~mask] *= (1 - 0.2 * depth)[~mask][:, None]


def pale(colors, mask):
    """An object in nearly the color of the backdrop."""
    colors[mask] = np.array(WHITE) - 14


@pytest.mark.parametrize(
    ("color", "text", "paint", "message", "cause"),
    [
        (WHITE, "auto", stripes, "is not plain", "patterned"),
        (WHITE, "green", None, "has the color #eb", "wrong color"),
        (GREEN, "white", None, "which is not white", "wrong color"),
        (WHITE, "white", pale, "not set off", "color of the backdrop"),
        (WHITE, "white", shadow, "not set off", "shadow"),
    ],
    ids=["pattern", "another color", "green for white", "pale object", "shadow"],
)
def test_refused_with_the_likely_cause(folder, color, text, paint, message, cause):
    """Where the masks would be wrong there are none, but the reason."""
    put_before(folder, color, paint=paint)
    with pytest.raises(EmptyMask) as caught:
        complete(folder, text)
    assert message in caught.value.message
    assert cause in caught.value.remedy
    assert "mask_path" in caught.value.remedy
    assert not (folder / "masks").exists()


def test_an_object_cut_by_the_frame_is_refused(folder):
    """Its colors are at the border, which is then not plain."""
    put_before(folder, WHITE)
    for frame in read_capture(folder).frames:
        picture = Image.open(frame.image_path)
        rows, columns = np.nonzero(true_mask(folder, frame.name))
        box = (columns.min() + 10, rows.min() + 10, columns.max() - 10, rows.max() - 10)
        picture.crop(tuple(map(int, box))).resize(picture.size).save(frame.image_path)
    with pytest.raises(EmptyMask, match="is not plain"):
        complete(folder)


@pytest.mark.parametrize("text", ["pink", "#12345", "white, black", "#1234567"])
def test_unknown_backdrops(text):
    """They are refused with what there is."""
    with pytest.raises(BadRequest) as caught:
        Backdrop.parse(text)
    assert "white, black, green, blue" in caught.value.remedy
    assert Backdrop.parse(" White ").text == "white"


def test_one_source_of_masks():
    """A model and a backdrop at once are refused."""
    with pytest.raises(BadRequest):
        MaskSource.from_options("model.onnx", "white")


def test_the_command(folder):
    """`masks --mask-backdrop` makes them; it needs no extra."""
    put_before(folder, GREEN)
    arguments = Namespace(
        views=folder, output=None, mask_model="", mask_backdrop="green", json=True
    )
    assert run(arguments)["made"] == VIEWS
