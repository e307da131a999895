# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Radiance pictures: reading, writing, and damaged files."""

from __future__ import annotations

import contextlib
import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from backend.shared.errors import BadImage
from backend.shared.radiance_hdr import read_hdr, write_hdr

HEADER = b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n"
# Rounding to nearest is off by at most half a step of a mantissa of at least 128.
HALF_STEP = 0.5 / 128
BRIGHTEST = 255 * 2.0**119


def round_trip(folder, image):
    write_hdr(folder / "x.hdr", image)
    return read_hdr(folder / "x.hdr")


widths = st.sampled_from([1, 7, 8, 9, 127, 128, 129, 300])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    image=st.tuples(st.integers(1, 3), widths).flatmap(
        lambda size: arrays.arrays(
            np.float32,
            (*size, 3),
            elements=st.floats(0, 2.0**100, width=32, allow_subnormal=False),
            fill=st.just(0.5),
        )
    )
)
def test_round_trip(tmp_path, image):
    """The error of every component is at most half a mantissa step of the pixel's largest."""
    read = round_trip(tmp_path, image)
    assert read.dtype == np.float32
    largest = image.max(axis=-1, keepdims=True)
    # Light below the smallest exponent, 2^-127, becomes black.
    assert (np.abs(read - image) <= np.maximum(HALF_STEP * largest, 2.0**-126)).all()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    rgbe=st.tuples(st.integers(1, 2), widths).flatmap(
        lambda size: arrays.arrays(np.uint8, (*size, 4), fill=st.just(7))
    )
)
def test_second_writing_changes_nothing(tmp_path, rgbe):
    """Pixels read from a file are written again without another error."""
    image = np.ldexp(rgbe[..., :3].astype(np.float32), rgbe[..., 3:].astype(int) - 200)
    first = round_trip(tmp_path, image)
    assert (round_trip(tmp_path, first) == first).all()


def test_runs_of_every_length(tmp_path):
    """Runs and literals of every length around the limits of a packet are read as written."""
    lengths = [1, 2, 3, 4, 5, 126, 127, 128, 129, 254, 255, 256]
    row = np.concatenate([np.full(n, (i % 5 + 1) / 8) for i, n in enumerate(lengths)])
    noise = np.arange(len(row)) % 7 / 8 + 0.125
    image = np.stack([np.stack([row, noise, row[::-1]], axis=-1)] * 2).astype(np.float32)
    assert (round_trip(tmp_path, image) == image).all()


def test_too_wide_for_run_length_encoding(tmp_path):
    """A row of more than 32767 pixels is written flat."""
    image = np.full((1, 40_000, 3), 0.5)
    assert (round_trip(tmp_path, image) == image).all()
    assert (tmp_path / "x.hdr").stat().st_size > 160_000


def test_black_stays_black_and_small(tmp_path):
    """A black picture is exact, and its file is small."""
    image = np.zeros((64, 256, 3))
    assert (round_trip(tmp_path, image) == 0).all()
    # Per row: a mark of 4 bytes and 3 packets of 2 bytes for each of 4 components.
    assert (tmp_path / "x.hdr").stat().st_size < 64 * 28 + 64


def test_values_outside_the_range(tmp_path):
    """Negative values and NaN become zero, infinity the largest value."""
    image = np.array([[[-1, np.nan, 1], [np.inf, 0, 0], [3e38, 1, 1]]])
    read = round_trip(tmp_path, image)
    assert read[0, 0].tolist() == [0, 0, 1]
    assert read[0, 1].tolist() == [BRIGHTEST, 0, 0]
    assert read[0, 2].tolist() == [BRIGHTEST, 0, 0]


def test_flat_pixels(tmp_path):
    """A value is mantissa * 2^(exponent - 136), exponent 0 is black, row 0 is on top."""
    pixels = bytes([128, 64, 255, 129, 1, 2, 3, 0]) + bytes([0, 0, 200, 137, 255, 255, 255, 255])
    (tmp_path / "x.hdr").write_bytes(HEADER + b"-Y 2 +X 2\n" + pixels)
    read = read_hdr(tmp_path / "x.hdr")
    assert read[0].tolist() == [[1, 0.5, 255 / 128], [0, 0, 0]]
    assert read[1].tolist() == [[0, 0, 400], [BRIGHTEST] * 3]
    # A width that could be encoded may be flat, too.
    (tmp_path / "x.hdr").write_bytes(HEADER + b"-Y 1 +X 8\n" + bytes([128, 0, 0, 130] * 8))
    assert (read_hdr(tmp_path / "x.hdr") == [2, 0, 0]).all()


def test_exposure_is_divided_out(tmp_path):
    """The pixels are divided by the product of all EXPOSURE lines."""
    header = b"#?RGBE\n# comment\nEXPOSURE=2\nEXPOSURE= 0.25\nFORMAT=32-bit_rle_rgbe\n\n"
    (tmp_path / "x.hdr").write_bytes(header + b"-Y 1 +X 1\n" + bytes([128, 128, 128, 129]))
    assert read_hdr(tmp_path / "x.hdr")[0, 0].tolist() == [2, 2, 2]


GOOD_ROW = bytes([2, 2, 0, 8] + [136, 9] * 4)
BAD_FILES = {
    "empty": b"",
    "png": b"\x89PNG\r\n\x1a\n\n\n",
    "header only": HEADER,
    "no pixels": HEADER + b"-Y 1 +X 8\n",
    "xyz": HEADER.replace(b"rgbe\n", b"xyze\n") + b"-Y 1 +X 8\n" + GOOD_ROW,
    "bottom up": HEADER + b"+Y 1 +X 8\n" + GOOD_ROW,
    "no size": HEADER + b"-Y 0 +X 8\n",
    "huge": HEADER + b"-Y 99999 +X 99999\n" + GOOD_ROW,
    "cut in a row": HEADER + b"-Y 1 +X 8\n" + GOOD_ROW[:-1],
    "cut between rows": HEADER + b"-Y 2 +X 8\n" + GOOD_ROW,
    "cut in a literal": HEADER + b"-Y 1 +X 8\n" + bytes([2, 2, 0, 8] + [136, 9] * 3 + [8, 9]),
    "row too long": HEADER + b"-Y 1 +X 8\n" + bytes([2, 2, 0, 8] + [255, 9] * 4),
    "another width": HEADER + b"-Y 1 +X 8\n" + bytes([2, 2, 0, 9]) + GOOD_ROW[4:],
    "zero exposure": b"#?RGBE\nEXPOSURE=0\n\n-Y 1 +X 1\n" + bytes(4),
    "odd exposure": b"#?RGBE\nEXPOSURE=1.2.3\n\n-Y 1 +X 1\n" + bytes(4),
    "old encoding": HEADER + b"-Y 1 +X 2\n" + bytes([9, 9, 9, 130, 1, 1, 1, 1]),
}


@pytest.mark.parametrize("content", BAD_FILES.values(), ids=BAD_FILES.keys())
def test_bad_file(tmp_path, content):
    """Damaged files and other formats are errors."""
    path = tmp_path / "sky.hdr"
    path.write_bytes(content)
    with pytest.raises(BadImage, match="sky"):
        read_hdr(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(noise=st.binary(max_size=80), width=st.sampled_from([1, 8]))
def test_any_bytes_give_a_picture_or_an_error(tmp_path, noise, width):
    """Whatever follows the header, the result is a picture of its size or BadImage."""
    path = tmp_path / "noise.hdr"
    path.write_bytes(HEADER + b"-Y 2 +X %d\n" % width + noise)
    with contextlib.suppress(BadImage):
        assert read_hdr(path).shape == (2, width, 3)


def test_missing_file(tmp_path):
    """A missing picture is an error with its path."""
    with pytest.raises(BadImage, match=r"nowhere\.hdr"):
        read_hdr(tmp_path / "nowhere.hdr")


@pytest.mark.parametrize("name", ["kiara_1_dawn", "st_fagans_interior", "studio_small_03"])
def test_environments(tmp_path, shared, name):
    """Pictures of other programs are read, and written again without any error."""
    image = read_hdr(shared / "data" / "hdris" / f"{name}_1k.hdr")
    assert image.shape == (512, 1024, 3)
    assert image.min() >= 0
    assert 10 < image.max() < 1e4
    assert (round_trip(tmp_path, image) == image).all()


def test_speed(tmp_path):
    """A 1k environment of noise is written and read within seconds."""
    image = np.random.default_rng(0).lognormal(size=(512, 1024, 3)).astype(np.float32)
    start = time.perf_counter()
    write_hdr(tmp_path / "x.hdr", image)
    written = time.perf_counter()
    read_hdr(tmp_path / "x.hdr")
    assert written - start < 2
    assert time.perf_counter() - written < 1
