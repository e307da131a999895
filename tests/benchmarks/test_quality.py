# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The quality benchmark without its renders: which captures it keeps, and its table."""

from __future__ import annotations

from backend.shared.capture_format import PASSES
from benchmarks.quality import (
    COLUMNS,
    MATERIAL_MEASURES,
    MEASURES,
    RELIT,
    RELIT_COLUMNS,
    _is_captured,
    _summary,
    _table,
)

LIGHTS = ["lights/studio 1k.hdr", "lights/hall.hdr"]


def test_captures_are_kept_if_they_are_complete(tmp_path):
    """A capture is made again only if it lacks relit views or passes that are needed."""
    views = tmp_path / "views"
    assert not _is_captured(views, [])
    views.mkdir()
    assert _is_captured(views, [])
    needed = [*PASSES, "relit_studio_1k", "relit_hall"]
    for folder in needed:
        assert not _is_captured(views, LIGHTS)
        (views / "test" / folder).mkdir(parents=True)
    assert _is_captured(views, LIGHTS)
    assert not _is_captured(views, [*LIGHTS, "moon.hdr"])


def row(**changes):
    """The measures of one object without --relight."""
    plain = dict.fromkeys(MEASURES, 0.5) | {"chamfer_x1e3": 6.0, "seconds": 30.0}
    return plain | {"peak_memory_mb": 900} | changes


def test_table_without_relit_views():
    """The table has the measures of the unlit score, and an empty cell for what is not there."""
    rows = {"gso_Mug": row(true_geometry={"psnr": 36.254}), "Teapot": row()}
    lines = _table(rows, _summary(rows), COLUMNS).splitlines()
    assert lines[0].startswith("| object | IoU | PSNR | PSNR fg | SSIM | Chamfer x1e3 | s | MiB |")
    assert lines[2] == "| gso_Mug | 0.5000 | 0.50 | 0.50 | 0.5000 | 6.00 | 30.0 | 900 | 36.25 |"
    assert lines[3] == "| Teapot | 0.5000 | 0.50 | 0.50 | 0.5000 | 6.00 | 30.0 | 900 |  |"
    assert len({line.count("|") for line in lines}) == 1


def test_table_with_relit_views():
    """With --relight materials and normals are added, with means and worst values."""
    material = dict.fromkeys(MATERIAL_MEASURES, 0.25) | {RELIT: 27.0}
    rows = {"gso_Mug": row(**material), "gso_Shoe": row(**material | {"normal_error_mean": 9.0})}
    summary = _summary(rows)
    assert summary["scans"]["normal_error_mean"] == {"mean": 4.625, "worst": 9.0}
    assert summary["scans"]["base_color_psnr_aligned"]["worst"] == 0.25
    lines = _table(rows, summary, COLUMNS | RELIT_COLUMNS).splitlines()
    assert lines[2].endswith("| 27.00 | 0.2 | 0.2 | 0.25 | 0.250 | 0.250 |")
    assert lines[-1].startswith("| **without_racquet, mean** | 0.5000 |")
    assert len({line.count("|") for line in lines}) == 1
