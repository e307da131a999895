# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Results of files that were never saved go where the user keeps documents, on every system."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from types import SimpleNamespace

import pytest


@pytest.fixture
def home(lsrm, tmp_path, monkeypatch):
    """The home folder of a user without any settings."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return tmp_path


@pytest.fixture
def documents(lsrm):
    """The module under test."""
    return lsrm("lsrm_blender.jobs.documents")


def test_home_without_documents(documents, home):
    """Where there are no documents, the folder lies in the home folder."""
    assert documents.results_folder() == home / "LSRM"
    (home / "Documents").mkdir()
    assert documents.results_folder() == home / "Documents" / "LSRM"


def test_documents_in_another_language(documents, home):
    """The desktop's settings name the folder; one that does not exist is passed over."""
    (home / ".config").mkdir()
    settings = home / ".config" / "user-dirs.dirs"
    settings.write_text('# \nXDG_DOCUMENTS_DIR="$HOME/Dokumente é"\n', "utf-8")
    assert documents.results_folder() == home / "LSRM"
    (home / "Dokumente é").mkdir()
    assert documents.results_folder() == home / "Dokumente é" / "LSRM"


def test_documents_on_windows(documents, home, monkeypatch):
    """The registry names the folder, with variables in it."""

    @contextmanager
    def open_key(_root, _name):
        yield None

    values = SimpleNamespace(
        HKEY_CURRENT_USER=None, OpenKey=open_key, QueryValueEx=lambda _key, _name: ("$OD/Docs", 1)
    )
    monkeypatch.setitem(sys.modules, "winreg", values)
    monkeypatch.setenv("OD", str(home / "OneDrive"))
    (home / "OneDrive" / "Docs").mkdir(parents=True)
    monkeypatch.setattr(documents.sys, "platform", "win32")
    assert documents.results_folder() == home / "OneDrive" / "Docs" / "LSRM"
