# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Size and EXIF orientation of images of all formats, from their headers."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from backend.shared.capture.image_header import ImageHeader, read_image_header
from backend.shared.errors import BadImage
from backend.shared.radiance_hdr import write_hdr

SIZE = (23, 14)
FILES = {
    "png": ("a.png", {}),
    "jpeg": ("a.jpg", {}),
    "progressive jpeg": ("a.jpg", {"progressive": True}),
    "webp": ("a.webp", {}),
    "lossless webp": ("a.webp", {"lossless": True}),
    "tiff": ("a.tif", {}),
    "compressed tiff": ("a.tif", {"compression": "tiff_lzw"}),
    "big-endian tiff": ("a.tif", {"big_endian": True}),
}


def exif_of(orientation):
    """EXIF with an orientation."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize(("name", "options"), FILES.values(), ids=FILES.keys())
def test_size(tmp_path, name, options, mode):
    """The stored size of every format, without an orientation."""
    if mode == "RGBA" and name.endswith("jpg"):
        pytest.skip("JPEG has no alpha")
    Image.new(mode, SIZE).save(tmp_path / name, **options)
    header = read_image_header(tmp_path / name)
    assert (header.size(), header.orientation) == (SIZE, 1)


@pytest.mark.parametrize("orientation", [3, 6])
@pytest.mark.parametrize(("name", "options"), FILES.values(), ids=FILES.keys())
def test_orientation(tmp_path, name, options, orientation):
    """The EXIF orientation of every format; the size is still the stored one."""
    Image.new("RGB", SIZE).save(tmp_path / name, exif=exif_of(orientation), **options)
    header = read_image_header(tmp_path / name)
    assert (header.size(), header.orientation) == (SIZE, orientation)
    assert header.size(orientation) == (SIZE if orientation == 3 else SIZE[::-1])


def test_orientation_behind_the_pixels_of_a_png(tmp_path):
    """Some programs append the EXIF chunk of a PNG."""
    path = tmp_path / "a.png"
    Image.new("RGB", SIZE).save(path)
    data = exif_of(8).tobytes().removeprefix(b"Exif\0\0")
    chunk = struct.pack(">I", len(data)) + b"eXIf" + data
    chunk += struct.pack(">I", zlib.crc32(chunk[4:]))
    content = path.read_bytes()
    path.write_bytes(content[:-12] + chunk + content[-12:])
    assert read_image_header(path) == ImageHeader("PNG", *SIZE, 8)


@pytest.mark.parametrize("orientation", [0, 9, 77])
def test_orientations_that_exif_does_not_know(tmp_path, orientation):
    """Numbers out of range say nothing."""
    Image.new("RGB", SIZE).save(tmp_path / "a.jpg", exif=exif_of(orientation))
    assert read_image_header(tmp_path / "a.jpg").orientation == 1


def test_damaged_exif(tmp_path):
    """EXIF that ends too early says nothing; the image is read."""
    Image.new("RGB", SIZE).save(tmp_path / "a.jpg", exif=exif_of(6))
    content = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(content.replace(b"Exif\0\0MM", b"Exif\0\0MX"))
    assert read_image_header(tmp_path / "a.jpg") == ImageHeader("JPEG", *SIZE, 1)


def test_light(tmp_path):
    """Radiance and OpenEXR state their size in text and in windows."""
    write_hdr(tmp_path / "a.hdr", np.ones((14, 23, 3)))
    assert read_image_header(tmp_path / "a.hdr") == ImageHeader("HDR", *SIZE)
    openexr = pytest.importorskip("OpenEXR", reason="OpenEXR is not installed")
    planes = {"RGB": np.ones((14, 23, 3), np.float16)}
    with openexr.File({"compression": openexr.ZIP_COMPRESSION}, planes) as file:
        file.write(str(tmp_path / "a.exr"))
    assert read_image_header(tmp_path / "a.exr") == ImageHeader("EXR", *SIZE)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.tif", "a.hdr"])
def test_every_beginning_of_a_file_is_named(tmp_path, name):
    """A file that ends within its header is an error that names the formats."""
    path = tmp_path / name
    if name == "a.hdr":
        write_hdr(path, np.ones((4, 4, 3)))
    else:
        Image.new("RGB", (4, 4)).save(path)
    content = path.read_bytes()
    for end in (0, 3, 9, 15, 20):
        path.write_bytes(content[:end])
        with pytest.raises(BadImage, match="PNG, JPEG, WebP, TIFF, OpenEXR or Radiance"):
            read_image_header(path)
