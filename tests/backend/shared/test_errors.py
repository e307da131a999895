# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors that nobody expected, in words, on the side of Blender, too."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (MemoryError(), "OUT_OF_MEMORY"),
        (ImportError("x"), "ENVIRONMENT_BROKEN"),
        (KeyError(), "ERROR"),
    ],
)
def test_a_plan_that_breaks_is_told_as_a_job_is(lsrm, error, code):
    """The panel shows what happened, and the traceback reaches Blender's console."""
    session = lsrm("lsrm_blender.jobs.session")

    def work():
        raise error
        yield

    at_work = session.Session(lambda _: None)
    with pytest.raises(type(error)):
        at_work.start(session.Plan("T", work()))
    assert at_work.shown.error[0] == code
    assert not at_work.shown.running


def test_expected_errors_stay_what_they_are(lsrm):
    """What already has a code, message and remedy keeps them."""
    errors = lsrm("backend.shared.errors")
    error = errors.EmptyMask("All is empty.", "Fill it.")
    assert errors.explained(error) is error
