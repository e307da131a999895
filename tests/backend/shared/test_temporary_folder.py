# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Temporary folders: removed at the end, and after a kill by the next process."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from backend.shared.temporary_folder import remove_abandoned, temporary_folder
from backend.shared.virtual_environments import child_variables

MAKE = """
import sys
from pathlib import Path
from backend.shared.temporary_folder import temporary_folder
with temporary_folder(Path(sys.argv[1]), "work-") as folder:
    print(folder.name, flush=True)
    sys.stdin.read()
"""


def test_the_folder_is_removed_at_the_end(tmp_path):
    """Also after an error in the body; a folder that the body has moved away is kept."""
    with pytest.raises(FileNotFoundError), temporary_folder(tmp_path, "work-") as folder:
        (folder / "nothing").unlink()
    with temporary_folder(tmp_path, "work-") as folder:
        folder.rename(tmp_path / "kept")
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


@pytest.mark.skipif(os.name != "posix", reason="Windows locks no folders")
def test_only_abandoned_folders_are_removed(tmp_path):
    """Folders of running processes, files, links and other names stay."""
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
def test_a_folder_removed_before_it_is_locked_is_made_again(tmp_path, monkeypatch):
    """Another process may lock or remove the folder between making and locking."""
    import fcntl

    mkdtemp, made, locks = tempfile.mkdtemp, [], []

    def disturbed(**options):
        made.append(Path(mkdtemp(**options)))
        if len(made) == 1:  # another process has locked it
            locks.append(os.open(made[0], os.O_RDONLY))
            fcntl.flock(locks[0], fcntl.LOCK_EX)
        if len(made) == 2:  # another process has removed it
            made[1].rmdir()
        return str(made[-1])

    monkeypatch.setattr("backend.shared.temporary_folder.tempfile.mkdtemp", disturbed)
    with temporary_folder(tmp_path, "work-") as folder:
        assert folder == made[2]
        remove_abandoned(tmp_path, "work-")
        assert folder.is_dir()
    os.close(locks[0])


@pytest.mark.skipif(os.name != "posix", reason="Windows locks no folders")
def test_a_disk_without_locks(tmp_path, monkeypatch):
    """Folders are made on disks that refuse locks, and none of them counts as abandoned."""

    def refused(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refused)
    with temporary_folder(tmp_path, "work-") as folder:
        remove_abandoned(tmp_path, "work-")
        assert folder.is_dir()


def test_missing_parent(tmp_path):
    """Removing abandoned folders in a folder that does not exist does nothing."""
    remove_abandoned(tmp_path / "missing", "work-")
