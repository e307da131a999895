# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Captures as other tools and habits write them: read, corrected on request, or refused.

No result is wrong in silence: what is not the object comes with a warning that names the cause.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.pipeline import reconstruct
from backend.request import ReconstructRequest
from backend.shared.errors import LsrmError
from backend.shared.progress import Progress

pytestmark = pytest.mark.slow

# What the warnings of a capture that is read say; empty for none.
READ = {
    "pass/_control": "",
    "pass/one-ring": "",
    "pass/same-image-two-spellings": "",
    "views/colmap-folder": "",
    "views/dynamic-mask": "",
    "views/exif-turned": "12 photographs are turned as the EXIF orientation says",
    "views/exif-turned-square": "12 photographs are turned as the EXIF orientation says",
    "views/foreign-absolute-paths": "found by the end of the path",
    "views/mask-beside-suffix": "",
    "views/mask-jpg-png": "",
    "views/relative-to-elsewhere": "found by the end of the path",
    "views/small-distortion": "",
    "views/suffix-case": "names in another letter case",
    "views/webp-images": "",
    "views/y-up-world": "The result is turned upright",
}
# What is said of a mistake that `fix_cameras` corrects: in a warning, or in the error.
WARNED = {
    "views/halved-images-no-center": "that of images twice as large",
    "views/portrait-angle-x": "the longer side",
}
REFUSED_UNLESS_FIXED = {
    "views/cx-as-offset": "cx, cy look like offsets",
    "views/cx-normalized": "cx, cy look like fractions",
    "views/halved-images-no-size": "those of images twice as large",
}
# Silhouettes of 12 views of 96 pixels reach .98 (half a pixel along the outline of a shape of about
# 35 x 35 pixels is .05 of it, and errs inwards and outwards); wrong cameras .80 to .91.
SAME_OBJECT = 0.95


def result(capture, output, **options):
    request = ReconstructRequest(
        capture / "input", output, refine="off", texture_size="256", faces=2000, **options
    )
    return reconstruct(request, Progress())


def case(shared, name):
    folder = shared / "cases" / name
    if not folder.is_dir():
        pytest.skip(f"no case at {folder}")
    return folder


@pytest.mark.parametrize("name", READ)
def test_read(shared, tmp_path, name):
    report = result(case(shared, name), tmp_path / "result")
    assert report.metrics["iou"] > SAME_OBJECT
    if READ[name]:
        assert any(READ[name] in warning for warning in report.warnings)
    else:
        assert not report.warnings


@pytest.mark.parametrize("name", [*WARNED, *REFUSED_UNLESS_FIXED])
def test_corrected_on_request(shared, tmp_path, name):
    report = result(case(shared, name), tmp_path / "result", fix_cameras=True)
    assert report.metrics["iou"] > SAME_OBJECT


@pytest.mark.parametrize("name", WARNED)
def test_warned(shared, tmp_path, name):
    report = result(case(shared, name), tmp_path / "result")
    assert any(WARNED[name] in warning for warning in report.warnings)


@pytest.mark.parametrize("name", REFUSED_UNLESS_FIXED)
def test_refused_with_the_cause(shared, tmp_path, name):
    with pytest.raises(LsrmError) as refused:
        result(case(shared, name), tmp_path / "result")
    assert REFUSED_UNLESS_FIXED[name] in f"{refused.value.message} {refused.value.remedy}"


def test_one_angle_for_two_shapes_is_refused(shared, tmp_path):
    with pytest.raises(LsrmError, match="camera_angle_x cannot fit images of different shapes"):
        result(case(shared, "views/mixed-orientation"), tmp_path / "result")


def test_every_case_is_tested(shared):
    cases = {
        f"views/{folder.name}"
        for folder in Path(shared, "cases", "views").iterdir()
        if (folder / "input").is_dir()
    }
    assert cases - {*READ, *WARNED, *REFUSED_UNLESS_FIXED} == {"views/mixed-orientation"}
