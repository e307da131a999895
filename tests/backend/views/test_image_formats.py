# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Views in all formats, depths and orientations are the same pictures."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from backend.shared.capture.reader import read_capture
from backend.shared.errors import BadImage
from backend.shared.radiance_hdr import write_hdr
from backend.shared.srgb import linear_to_srgb, srgb_to_linear
from backend.views.image_files import read_color, read_mask
from backend.views.views import load_views
from tests.captures import deep_png

SIZE = (6, 4)
RAMP = np.arange(72, dtype=np.uint16).reshape(4, 6, 3) * 900 + 37
# How an upright picture is stored so that an EXIF orientation shows it.
STORED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def exif_of(orientation):
    """EXIF with an orientation."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def put_exr(path, planes, compression="ZIP_COMPRESSION"):
    """Write channels of an OpenEXR picture."""
    openexr = pytest.importorskip("OpenEXR", reason="OpenEXR is not installed")
    header = {"compression": getattr(openexr, compression)}
    with openexr.File(header, planes) as file:
        file.write(str(path))


@pytest.fixture(scope="module")
def upright(tmp_path_factory, make_capture):
    """A capture of a box without EXIF; do not write to it."""
    return make_capture(tmp_path_factory.mktemp("upright") / "box", 6, size=48, shape="box")


@pytest.fixture(scope="module")
def portrait(upright, tmp_path_factory):
    """The same, with four columns less at each side."""
    folder = tmp_path_factory.mktemp("portrait")
    document = json.loads((upright / "transforms.json").read_text())
    for frame in document["frames"]:
        frame |= {"w": 40, "cx": frame["cx"] - 4}
        for key in ("file_path", "mask_path"):
            (folder / frame[key]).parent.mkdir(exist_ok=True)
            Image.open(upright / frame[key]).crop((4, 0, 44, 48)).save(folder / frame[key])
    (folder / "transforms.json").write_text(json.dumps(document))
    return folder


def stored_turned(source, target, orientation, suffix, **options):
    """A copy of a capture whose photographs, but not masks, are stored in an orientation."""
    document = json.loads((source / "transforms.json").read_text())
    for frame in document["frames"]:
        (target / "images").mkdir(exist_ok=True)
        photograph = Image.open(source / frame["file_path"]).transpose(STORED[orientation])
        frame["file_path"] = frame["file_path"].replace(".png", suffix)
        photograph.save(target / frame["file_path"], exif=exif_of(orientation), **options)
        frame["mask_path"] = str(source / frame["mask_path"])
    (target / "transforms.json").write_text(json.dumps(document))
    return target


@pytest.mark.parametrize("kind", ["square", "portrait"])
@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_photographs_with_an_orientation(  # noqa: PLR0913, PLR0917 - fixtures
    request, tmp_path, upright, portrait, kind, orientation, suffix
):
    """They equal the upright ones, to the bit, with masks that have no EXIF."""
    source = upright if kind == "square" else portrait
    expected = load_views(read_capture(source)).views
    turned = load_views(read_capture(stored_turned(source, tmp_path, orientation, suffix)))
    for view, same in zip(turned.views, expected, strict=True):
        assert (view.image == same.image).all()
        assert (view.mask == same.mask).all()
        assert view.intrinsics == same.intrinsics
    (warning,) = turned.warnings
    certain = kind == "portrait" and orientation >= 5
    assert warning.endswith("EXIF orientation says.") == certain


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_lossy_photographs_with_an_orientation(tmp_path, portrait, suffix):
    """Likewise, but for what the compression changes."""
    expected = load_views(read_capture(portrait)).views
    folder = stored_turned(portrait, tmp_path, 6, suffix, quality=95)
    for view, same in zip(load_views(read_capture(folder)).views, expected, strict=True):
        assert np.abs(view.image - same.image).mean() < 0.03


def test_cameras_of_photographs_as_stored(tmp_path, portrait):
    """Sizes that fit the stored pixels alone, as COLMAP's do, leave the EXIF orientation aside."""
    document = json.loads((portrait / "transforms.json").read_text())
    for frame in document["frames"]:
        (tmp_path / "images").mkdir(exist_ok=True)
        photograph = Image.open(portrait / frame["file_path"])
        photograph.save(tmp_path / frame["file_path"], exif=exif_of(6))
        frame["mask_path"] = str(portrait / frame["mask_path"])
    (tmp_path / "transforms.json").write_text(json.dumps(document))
    expected = load_views(read_capture(portrait)).views
    views = load_views(read_capture(tmp_path))
    assert all((a.image == b.image).all() for a, b in zip(views.views, expected, strict=True))
    assert "not turned" in views.warnings[0]


@pytest.mark.parametrize("options", [{}, {"lossless": True}, {"quality": 90}])
def test_webp_views(tmp_path, upright, options):
    """Views in WebP, masks in lossless WebP: those of PNG."""
    document = json.loads((upright / "transforms.json").read_text())
    for frame in document["frames"]:
        for key in ("file_path", "mask_path"):
            path = (tmp_path / frame[key]).with_suffix(".webp")
            path.parent.mkdir(exist_ok=True)
            kind = options if key == "file_path" else {"lossless": True}
            Image.open(upright / frame[key]).save(path, **kind)
            frame[key] = path.relative_to(tmp_path).as_posix()
    (tmp_path / "transforms.json").write_text(json.dumps(document))
    views, expected = (load_views(read_capture(folder)).views for folder in (tmp_path, upright))
    for view, same in zip(views, expected, strict=True):
        assert np.abs(view.image - same.image).mean() < (1e-7 if "lossless" in options else 0.02)
        assert ((view.mask >= 0.5) == (same.mask >= 0.5)).all()


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_tiff(tmp_path, compression):
    """Colors of 8 bits with and without alpha, and masks, in the usual compressions."""
    pixels = (np.concatenate([RAMP, RAMP[..., :1]], axis=2) >> 8).astype(np.uint8)
    for channels in (3, 4):
        image = Image.fromarray(np.ascontiguousarray(pixels[..., :channels]))
        image.save(tmp_path / "a.tif", compression=compression)
        colors, alpha = read_color(tmp_path / "a.tif", SIZE)
        assert (colors == pixels[..., :3]).all()
        assert alpha is None if channels == 3 else (alpha == pixels[..., 3]).all()
    Image.fromarray(pixels[..., 0]).save(tmp_path / "m.tiff", compression=compression)
    assert (read_mask(tmp_path / "m.tiff", SIZE) == pixels[..., 0] / np.float32(255)).all()


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_deep_tiff(tmp_path, compression, byteorder):
    """Colors and masks of 16 bits, in both byte orders, keep their depth."""
    tifffile = pytest.importorskip("tifffile")
    options = {"compression": compression, "byteorder": byteorder}
    tifffile.imwrite(tmp_path / "a.tif", RAMP, photometric="rgb", **options)
    colors, _ = read_color(tmp_path / "a.tif", SIZE)
    assert colors.dtype == np.uint16
    assert (colors == RAMP).all()
    tifffile.imwrite(tmp_path / "m.tif", RAMP[..., 0], photometric="minisblack", **options)
    assert (read_mask(tmp_path / "m.tif", SIZE) == RAMP[..., 0] / np.float32(65535)).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_deep_png(tmp_path, channels):
    """Gray and colored PNG of 16 bits keep their depth."""
    (tmp_path / "a.png").write_bytes(deep_png(RAMP[..., :channels]))
    colors, alpha = read_color(tmp_path / "a.png", SIZE)
    assert colors.dtype == np.uint16
    assert (colors == RAMP[..., :channels]).all()
    assert alpha is None


def test_exr(tmp_path):
    """Light is displayed by the sRGB curve, clipped, and not premultiplied any more."""
    light = (RAMP / 40000).astype(np.float32)
    alpha = np.linspace(0.25, 1, 24, dtype=np.float32).reshape(4, 6)
    planes = {"RGBA": np.dstack([light * alpha[..., None], alpha])}
    for compression in ("NO", "RLE", "ZIPS", "ZIP", "PIZ"):
        put_exr(tmp_path / "a.exr", planes, f"{compression}_COMPRESSION")
        colors, opacity = read_color(tmp_path / "a.exr", SIZE)
        assert colors / 65535 == pytest.approx(linear_to_srgb(light.clip(0, 1)), abs=2e-5)
        assert opacity / 65535 == pytest.approx(alpha, abs=1e-5)
        assert read_mask(tmp_path / "a.exr", SIZE) == pytest.approx(alpha)


def test_exr_with_layers(tmp_path):
    """Of Blender's passes, Combined is the picture; a gray file is gray; other files are errors."""
    light = np.full((4, 6), 0.5, np.float32)
    planes = {f"ViewLayer.Combined.{name}": light for name in "RGBA"}
    planes |= {f"ViewLayer.Albedo.{name}": light * 0 for name in "RGB"}
    put_exr(tmp_path / "a.exr", planes)
    colors, _ = read_color(tmp_path / "a.exr", SIZE)
    assert colors / 65535 == pytest.approx(float(linear_to_srgb(np.float32(1))), abs=1e-4)
    put_exr(tmp_path / "y.exr", {"Y": light})
    assert read_color(tmp_path / "y.exr", SIZE)[0].shape == (4, 6, 3)
    put_exr(tmp_path / "z.exr", {"Z": light})
    with pytest.raises(BadImage, match="no color"):
        read_color(tmp_path / "z.exr", SIZE)


def test_radiance_views(tmp_path, upright):
    """Views in Radiance: those of PNG, but for its 8 bits of mantissa, and exposure is reported."""
    document = json.loads((upright / "transforms.json").read_text())
    for frame in document["frames"]:
        display = np.asarray(Image.open(upright / frame["file_path"])) / 255
        frame["file_path"] = frame["file_path"].replace(".png", ".hdr")
        (tmp_path / "images").mkdir(exist_ok=True)
        write_hdr(tmp_path / frame["file_path"], srgb_to_linear(display))
        frame["mask_path"] = str(upright / frame["mask_path"])
    (tmp_path / "transforms.json").write_text(json.dumps(document))
    found, expected = (load_views(read_capture(folder)) for folder in (tmp_path, upright))
    for view, same in zip(found.views, expected.views, strict=True):
        assert view.image == pytest.approx(same.image, abs=0.02)
    assert "Standard at exposure 0" in found.warnings[0]


@pytest.mark.parametrize("name", ["a.tif", "a.webp", "a.exr", "a.hdr"])
def test_damaged_files(tmp_path, capfd, name):
    """A file that ends too early is an error with its name, and nothing else is printed."""
    pixels = np.random.default_rng(0).integers(0, 256, (48, 48, 3)).astype(np.uint8)
    path = tmp_path / name
    if name == "a.exr":
        put_exr(path, {"RGB": pixels.astype(np.float32)})
    elif name == "a.hdr":
        write_hdr(path, pixels)
    else:
        Image.fromarray(pixels).save(path, compression="tiff_lzw")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(BadImage, match=name):
        read_color(path, (48, 48))
    assert capfd.readouterr() == ("", "")


CASES = {"exif-turned": (12, "says."), "exif-turned-square": (12, "pictures."), "webp-images": None}


@pytest.mark.parametrize("case", CASES)
def test_reported_captures(shared, case):
    """Captures that people reported: turned photographs agree with their masks; WebP is read."""
    folder = shared / "cases" / "views" / case / "input"
    if not folder.is_dir():
        pytest.skip("these captures are not here")
    views = load_views(read_capture(folder))
    assert len(views.views) == 12
    if CASES[case]:
        assert views.warnings[0].startswith("12 photographs are turned")
        assert views.warnings[0].endswith(CASES[case][1])
    for view in views.views:
        inside, outside = (view.image[part].mean(axis=0) for part in _parts(view.mask))
        assert np.abs(inside - outside).max() > 0.1


def _parts(mask):
    """Where a mask shows the object, and where the surroundings."""
    return mask > 0.99, mask < 0.01
