# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders for unfinished work: gone at the end, and after a kill with the next one."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from backend.shared import temporary_folder
from backend.shared.temporary_folder import remove_abandoned, scratch_folder
from backend.shared.virtual_environments import child_variables

MAKE = """
import sys
from pathlib import Path
from backend.shared.temporary_folder import scratch_folder
with scratch_folder(Path(sys.argv[1]), "work-") as folder:
    print(folder.name, flush=True)
    sys.stdin.read()
"""


def test_it_is_gone_at_the_end(tmp_path):
    """Whatever the body does, also if it moves the folder away."""
    with pytest.raises(FileNotFoundError), scratch_folder(tmp_path, "work-") as folder:
        (folder / "nothing").unlink()
    with scratch_folder(tmp_path, "work-") as folder:
        folder.rename(tmp_path / "kept")
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


@pytest.mark.skipif(os.name != "posix", reason="Windows locks no folders")
def test_only_what_is_abandoned_and_ours_is_removed(tmp_path):
    """Not what a living process holds, nor files, links and names that are not quite ours."""
    others = ["work-", "work-abc", "work-12345678-mine", "other-12345678"]
    for name in others:
        (tmp_path / name).mkdir()
    (tmp_path / "work-afile123").touch()
    (tmp_path / "work-alink123").symlink_to(tmp_path / "work-abc")
    command = [sys.executable, "-P", "-c", MAKE, str(tmp_path)]
    with subprocess.Popen(
        command, env=child_variables(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as maker:
        made = tmp_path / maker.stdout.readline().strip()
        before = sorted(path.name for path in tmp_path.iterdir())
        remove_abandoned(tmp_path, "work-")
        assert sorted(path.name for path in tmp_path.iterdir()) == before
        maker.send_signal(signal.SIGKILL)
        maker.wait()
        assert made.is_dir()
        remove_abandoned(tmp_path, "work-")
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == sorted({*before} - {made.name})


@pytest.mark.skipif(os.name != "posix", reason="Windows locks no folders")
def test_a_fresh_folder_taken_for_abandoned_is_made_anew(tmp_path, monkeypatch):
    """Cleaners that come between making and locking, at work or already done, cost a retry."""
    import fcntl

    really, made, holds = tempfile.mkdtemp, [], []

    def disturbed(**options):
        made.append(Path(really(**options)))
        if len(made) == 1:  # a cleaner has just locked it
            holds.append(os.open(made[0], os.O_RDONLY))
            fcntl.flock(holds[0], fcntl.LOCK_EX)
        if len(made) == 2:  # a cleaner has removed it
            made[1].rmdir()
        return str(made[-1])

    monkeypatch.setattr(temporary_folder.tempfile, "mkdtemp", disturbed)
    with scratch_folder(tmp_path, "work-") as folder:
        assert folder == made[2]
        remove_abandoned(tmp_path, "work-")
        assert folder.is_dir()
    os.close(holds[0])


@pytest.mark.skipif(os.name != "posix", reason="Windows locks no folders")
def test_a_disk_without_locks_is_worked_on_all_the_same(tmp_path, monkeypatch):
    """Some network disks refuse locks: folders are made there, and none is taken for abandoned."""

    def refused(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refused)
    with scratch_folder(tmp_path, "work-") as folder:
        remove_abandoned(tmp_path, "work-")
        assert folder.is_dir()


def test_a_parent_that_is_not_there_holds_nothing(tmp_path):
    """Cleaning up is never a reason to fail."""
    remove_abandoned(tmp_path / "nowhere", "work-")
