# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables, comparisons and the history of the quality benchmark."""

from __future__ import annotations

import json
from types import SimpleNamespace

from benchmarks.quality import history
from benchmarks.quality.comparison import compare, comparison_text
from benchmarks.quality.object_split import HALVES, MADE, groups_of, half_of
from benchmarks.quality.table import columns_for, flat, summarize, table_text

MUG, BOTTLE = "gso_Room_Essentials_Mug_White_Yellow", "pbr_WaterBottle"
ORCA, RACQUET = "gso_Sootheze_Toasty_Orca", "pbr_TennisRacquet"


def row(**changes):
    """The measures of one object without --relight."""
    plain = {"iou": 0.5, "psnr": 30.0, "chamfer_x1e3": 6.0, "seconds": 30.0, "peak_memory_mb": 900}
    return plain | changes


def relit(psnr, rgb, true_materials):
    """The measures of one object with --relight, --rgb and --bounds."""
    return row(
        relit_psnr=psnr,
        normal_error_mean=9.0,
        lights={"studio": {"psnr": psnr}},
        rgb={"psnr": 35.0, "relit_psnr": rgb},
        true_materials={"relit_psnr": true_materials, "roughness_error": 0.125},
    )


def test_halves_hold_every_object_once():
    tuning, reporting = HALVES["tuning"], HALVES["reporting"]
    assert not set(tuning) & set(reporting)
    assert set(MADE) < {*tuning, *reporting}
    assert half_of(MUG) == "tuning"
    assert half_of(ORCA) == "reporting"
    assert half_of("another") == ""


def test_groups_leave_out_the_racquet():
    groups = groups_of([MUG, BOTTLE, ORCA, RACQUET, "made_plain_cup"])
    assert groups == {
        "scans": [MUG, ORCA],
        "glossy": [BOTTLE],
        "real": [MUG, BOTTLE, ORCA],
        "made": ["made_plain_cup"],
        "tuning": [MUG, BOTTLE, "made_plain_cup"],
        "reporting": [ORCA],
    }


def test_flat_row_has_gain_and_loss_of_materials():
    values = flat(relit(31.5, 26.0, 32.25))
    assert values["rgb.psnr"] == 35.0
    assert values["relit_gain"] == 5.5
    assert values["materials_lose"] == 0.75
    assert not any("lights" in name for name in values)
    withheld = {**relit(31.5, 26.0, 32.25), "light_withheld": {"relit_psnr": 28.5}}
    assert flat(withheld)["withheld_gain"] == 2.5


def test_table_has_columns_of_what_was_measured():
    rows = {MUG: row(true_geometry={"psnr": 36.254}), BOTTLE: row()}
    lines = table_text(rows, summarize(rows), columns_for(rows)).splitlines()
    assert lines[0] == "| object | half | IoU | PSNR | Chamfer x1e3 | s | MiB | true geometry dB |"
    assert lines[2] == f"| {MUG} | tuning | 0.5000 | 30.00 | 6.00 | 30.0 | 900 | 36.25 |"
    assert lines[3] == f"| {BOTTLE} | tuning | 0.5000 | 30.00 | 6.00 | 30.0 | 900 |  |"
    assert len({line.count("|") for line in lines}) == 1


def test_summary_has_means_and_worst_values():
    rows = {MUG: row(iou=0.9), ORCA: row(iou=0.8, seconds=50.0)}
    scans = summarize(rows)["scans"]
    assert scans["iou"] == {"mean": 0.85, "worst": 0.8}
    assert scans["seconds"] == {"mean": 40.0, "worst": 50.0}


def test_comparison_lists_losses():
    old = {MUG: relit(31.0, 26.0, 32.0), ORCA: row(psnr=30.0)}
    new = {MUG: relit(30.5, 26.0, 32.0), ORCA: row(psnr=30.5, iou=0.497)}
    gain = compare(new, old | {BOTTLE: row()})
    assert gain["objects"][MUG]["relit_gain"] == -0.5
    assert gain["means"]["scans"]["psnr"] == 0.25
    found = {(loss["object"], loss["measure"], loss["difference"]) for loss in gain["losses"]}
    assert found == {(MUG, "relit_psnr", -0.5), (ORCA, "iou", -0.003)}
    assert f"- LOSS {ORCA}: iou -0.003" in comparison_text(gain)


def test_history_has_one_line_for_each_run(tmp_path):
    options = SimpleNamespace(refine="auto", material=None, relight=["lights/studio.hdr"])
    rows = {MUG: row()}
    document = history.origin() | history.settings(options)
    document |= {"objects": rows, "summary": summarize(rows)}
    for _ in range(2):
        history.append(document, tmp_path / history.FILE_NAME)
    first, second = (tmp_path / history.FILE_NAME).read_text("utf-8").splitlines()
    record = json.loads(first)
    assert first == second
    assert record["relight"] == ["studio.hdr"]
    assert record["objects"] == [MUG]
    assert record["means"]["scans"]["psnr"] == 30.0
