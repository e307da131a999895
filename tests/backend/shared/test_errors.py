# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unexpected exceptions and failures to write, as errors with a remedy."""

from __future__ import annotations

import errno
import os
import shutil
from types import SimpleNamespace

import pytest

from backend.shared.errors import DiskFull, OutputNotWritable, write_failure


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (MemoryError(), "OUT_OF_MEMORY"),
        (ImportError("x"), "ENVIRONMENT_BROKEN"),
        (KeyError(), "ERROR"),
    ],
)
def test_unexpected_exceptions_in_blender_reach_the_panel(lsrm, error, code):
    """The panel shows the error of a UI task, and the traceback reaches Blender's console."""
    session = lsrm("lsrm_blender.jobs.session")

    def work():
        raise error
        yield

    current = session.Session(lambda _: None)
    with pytest.raises(type(error)):
        current.start(lsrm("lsrm_blender.jobs.task").Task("T", work()))
    assert current.state.error[0] == code
    assert not current.state.running


def test_expected_errors_stay_unchanged(lsrm):
    """An LSRM error is not wrapped again."""
    errors = lsrm("backend.shared.errors")
    error = errors.EmptyMask("All is empty.", "Fill it.")
    assert errors.as_lsrm_error(error) is error


@pytest.fixture
def set_free_space(monkeypatch):
    """A function that makes every disk report so many free bytes."""

    def set_(free: int, total: int = 1 << 30) -> None:
        usage = SimpleNamespace(total=total, used=total - free, free=free)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)

    return set_


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_full_disk(tmp_path, set_free_space, number):
    """A full disk, or a user's full quota, is named by the path that was to be written."""
    set_free_space(0)
    path = tmp_path / "missing" / "out"
    error = write_failure(path, OSError(number, os.strerror(number)))
    assert isinstance(error, DiskFull)
    assert str(path) in error.message


def test_full_disk_of_temporary_files(tmp_path, set_free_space):
    """If the disk of the path has space, another disk is full: that of the file in the error."""
    set_free_space(1 << 29)
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/elsewhere/render.exr")
    error = write_failure(tmp_path / "out", full)
    assert isinstance(error, DiskFull)
    assert "/elsewhere/render.exr" in error.message


@pytest.mark.parametrize(("free", "kind"), [(0, DiskFull), (1 << 29, OutputNotWritable)])
def test_errors_without_a_number(tmp_path, set_free_space, free, kind):
    """Blender does not say why it cannot write: the free space of the disk decides."""
    set_free_space(free)
    assert type(write_failure(tmp_path / "out.png", RuntimeError("no reason"))) is kind


def test_disk_that_reports_no_size(tmp_path, set_free_space):
    """Some network disks report zero bytes of zero: only the error itself counts there."""
    set_free_space(0, total=0)
    error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert isinstance(write_failure(tmp_path / "out", error), DiskFull)
    assert isinstance(write_failure(tmp_path / "out", RuntimeError("?")), OutputNotWritable)


def test_other_reasons(tmp_path):
    """The reason of the operating system is part of the message."""
    error = write_failure(tmp_path / "out", PermissionError(errno.EACCES, "Permission denied"))
    assert isinstance(error, OutputNotWritable)
    assert "Permission denied" in error.message
