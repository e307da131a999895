# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table: what is measured, what is quoted, and that neither stands in the other's row."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.paper.evaluation import mean_measures
from benchmarks.paper.protocols import PROTOCOLS
from benchmarks.paper.published import QUOTED, quoted_rows
from benchmarks.paper.settings import Settings
from benchmarks.paper.table import document, table_text

VIEWS = {"0000": {"psnr": 20.0, "ssim": 0.5}, "0001": {"psnr": 30.0, "ssim": 0.7}}


def measured(**changes):
    """The document of one object."""
    plain = {"inputs": 16, "scored_size": 512, "checkpoint": {"name": "none"}}
    return {**plain, "targets": VIEWS, "chamfer_x1e3": 8.0, **changes}


def outcome(objects, failed=None):
    """What `evaluate_all` returns."""
    failed = failed or {}
    return {"objects": objects, "failed": failed, "total": len(objects) + len(failed), "notes": []}


def settings(protocol="gso"):
    return Settings(
        protocol, Path("objects"), Path("out"), reconstruct={"checkpoint": "auto", "refine": "30"}
    )


def test_means_are_over_views_and_need_all_of_them():
    """As in the paper, over all objects and target views: an object with more views counts more."""
    one = measured(targets={"0000": {"psnr": 40.0}}, chamfer_x1e3=4.0)
    assert mean_measures([measured(), one]) == {"psnr": 30.0, "chamfer_x1e3": 6.0}
    assert mean_measures([]) == {}
    without = {name: value for name, value in measured().items() if name != "chamfer_x1e3"}
    assert "chamfer_x1e3" not in mean_measures([measured(), without])


def test_a_measured_row_has_measured_numbers_alone():
    """LPIPS was not measured: it is quoted in the rows of others, and missing in this one."""
    found = document(settings(), outcome({"mug": measured()}))
    own = [row for row in found["rows"] if row["status"] == "measured"]
    assert len(own) == 1
    assert own[0]["measures"] == {"psnr": 25.0, "ssim": 0.6, "chamfer_x1e3": 8.0}
    quoted = [row for row in found["rows"] if row["status"] == "quoted"]
    assert {row["source"] for row in quoted} == {
        "arXiv 2604.05182, Table 1", "arXiv 2604.05182, Table 3"
    }  # fmt: skip
    assert all("objects" not in row for row in quoted)
    lines = table_text(found, PROTOCOLS["gso"].columns).splitlines()
    assert lines[0] == (
        "| method | data | views | objects | status | PSNR | SSIM | LPIPS | Chamfer x1e3 |"
    )
    assert (
        "| LSRM | GSO | 16 | - | quoted, arXiv 2604.05182, Table 1 | 33.08 | 0.971 | 0.028 | - |"
        in lines
    )
    assert (
        "| this repository, checkpoint none, refine 30 | gso: objects | 16 | 1 of 1 "
        "| **measured** | 25.00 | 0.600 | - | 8.00 |" in lines
    )


def test_without_any_object_nothing_is_measured():
    found = document(settings(), outcome({}, {"mug": {"code": "BAD_IMAGE"}}))
    assert found["rows"][-1]["measures"] == {}
    assert found["rows"][-1]["objects"] == [0, 1]


def test_failed_objects_and_missing_views_are_named():
    found = document(
        settings(), outcome({"mug": measured(inputs=9)}, {"bell": {"code": "EMPTY_MASK"}})
    )
    text = table_text(found, PROTOCOLS["gso"].columns)
    assert "1 of 2" in text
    assert "1 failed and are in no mean: bell (EMPTY_MASK)." in text
    assert "Fewer than 16 input views: mug (9)." in text
    assert "Measured at 512 pixels." in text
    assert "other objects" not in text
    own = document(settings("novel-views"), outcome({"mug": measured()}))
    assert "Quoted rows are of other objects, those of GSO." in own["notes"]


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_protocol_has_rows_beside_it(name):
    """Each with no other measures than the table has columns for, within what they can be."""
    protocol = PROTOCOLS[name]
    rows = quoted_rows(protocol.quoted)
    assert any(row.method == "LSRM" for row in rows)
    for row in rows:
        assert set(row.measures) <= set(protocol.columns)
        assert 0 < row.measures["lpips"] < 0.5 < row.measures["ssim"] < 1


def test_quoted_numbers_are_those_of_the_paper(shared):
    """Every number stands in the text of the paper, as often as it is quoted or more."""
    text = (shared / "spec" / "paper.txt").read_text("utf-8")
    for row in QUOTED:
        for name, value in row.measures.items():
            forms = {f"{value:.2f}", f"{value:.3f}"}
            assert any(form in text for form in forms), (row, name)


def test_options_that_scores_depend_on_are_stored():
    """A run with others does not take the scores of this one for its own."""
    plain, other = settings(), Settings("gso", Path("objects"), Path("elsewhere"), views=8)
    assert plain.identity(flip=True) != other.identity(flip=True)
    assert plain.identity(flip=True) != plain.identity(flip=False)
    assert plain.identity(flip=True)["material"] == "rgb"
    assert settings("relighting").identity(flip=True)["material"] == "auto"
