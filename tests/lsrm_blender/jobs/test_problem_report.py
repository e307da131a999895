# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report that is copied for whoever helps: all that is needed, and no home folder."""

from __future__ import annotations

from pathlib import PurePosixPath, PureWindowsPath

import pytest


@pytest.fixture
def report(lsrm):
    return lsrm("lsrm_blender.jobs.problem_report")


def test_facts_and_the_end_of_the_log(report, tmp_path):
    """One line for each fact that is known, then the last lines; the home folder is a ~."""
    log = tmp_path / "logs" / "backend.1.txt"
    log.parent.mkdir()
    lines = [f"line {number} of {tmp_path}/mug.blend" for number in range(100)]
    log.write_text("\n".join(lines), "utf-8")
    text = report.problem_report({"LSRM": "0.1.0", "Job": "", "OUT": "No."}, log, tmp_path)
    first, *rest = text.splitlines()
    assert (first, rest[:3]) == ("LSRM: 0.1.0", ["OUT: No.", "", "~/logs/backend.1.txt:"])
    assert rest[3:] == [f"line {number} of ~/mug.blend" for number in range(40, 100)]


def test_a_log_that_is_gone_is_no_error(report, tmp_path):
    text = report.problem_report({"LSRM": "0.1.0"}, tmp_path / "none.txt", tmp_path)
    assert text.splitlines()[-1] == "The log is gone."
    assert report.problem_report({"LSRM": "0.1.0"}, None, tmp_path) == "LSRM: 0.1.0"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"open D:\People\Ann\mug.blend", r"open ~\mug.blend"),
        ("file 'D:/people/ann/mug.blend'", "file '~/mug.blend'"),
        (r'{"views": "D:\\People\\Ann\\mug"}', r'{"views": "~\\mug"}'),
        (r"D:\People\Anna\mug, D:\People\Ann-Marie", r"D:\People\Anna\mug, D:\People\Ann-Marie"),
    ],
)
def test_home_on_windows_however_it_is_written(report, text, expected):
    """Backslashes may be doubled, letters of either case; a longer name is another user's."""
    assert report.without_home(text, PureWindowsPath(r"D:\People\Ann")) == expected


def test_home_elsewhere(report):
    """The user without a folder has / for a home: nothing is left out then."""
    home = PurePosixPath("/people/ann")
    assert (
        report.without_home("/people/ann, /people/ann/x /people/anna", home)
        == "~, ~/x /people/anna"
    )
    assert report.without_home("No folder /people/ann. /people/ann.b", home) == (
        "No folder ~. /people/ann.b"
    )
    assert report.without_home("/srv/x", PurePosixPath("/")) == "/srv/x"
