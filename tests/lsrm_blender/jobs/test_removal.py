# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Removal of large folders in the background."""

from __future__ import annotations

import time

import pytest


@pytest.fixture
def removal(lsrm):
    return lsrm("lsrm_blender.jobs.removal")


def test_thousands_of_files_are_gone_at_once(removal, tmp_path):
    """The folder is free for a new installation at once, and its files are deleted soon after."""
    folder = tmp_path / "environment é"
    left = tmp_path / f"{folder.name}{removal.REMOVED}0"  # of a removal that was interrupted
    for each in (folder, left):
        for number in range(15):
            (each / str(number)).mkdir(parents=True)
            for file in range(100):
                (each / str(number) / str(file)).touch()
    began = time.monotonic()
    removal.remove_in_background(folder)
    assert time.monotonic() - began < 0.3
    assert not folder.exists()
    end = time.monotonic() + 20.0
    while list(tmp_path.iterdir()):
        assert time.monotonic() < end
        time.sleep(0.05)
    removal.remove_in_background(folder)  # there is none: nothing to do


def test_a_locked_folder_is_an_error_with_a_remedy(removal, lsrm, tmp_path, monkeypatch):
    """Windows renames no folder with open files."""
    (tmp_path / "environment").mkdir()

    def refuse(_self, _target):
        raise PermissionError(13, "Access is denied")

    monkeypatch.setattr("pathlib.Path.rename", refuse)
    refused = lsrm("backend.shared.errors").OutputNotWritable
    with pytest.raises(refused, match="cannot be removed: Access is denied"):
        removal.remove_in_background(tmp_path / "environment")
    assert (tmp_path / "environment").is_dir()


def test_the_process_is_detached_on_every_system(removal):
    """Without a console on Windows; in a session of its own elsewhere."""
    assert removal._detached("win32") == {"creationflags": 0x08000200}
    assert removal._detached("darwin") == {"start_new_session": True}
