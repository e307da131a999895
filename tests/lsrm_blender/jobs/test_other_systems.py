# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the extension starts and ends processes on Windows, pretended here."""

from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest


@pytest.fixture
def children(lsrm):
    return lsrm("lsrm_blender.jobs.child_process")


@pytest.fixture
def holders(lsrm):
    return lsrm("lsrm_blender.jobs.farm.holders")


@pytest.fixture
def windows(children, holders, monkeypatch):
    """Pretend Windows, once all is imported; returns what is started, with its options."""
    started = []

    def start(command, **options):
        started.append((list(command), options))
        return SimpleNamespace(pid=42, args=command, stdin=None, stdout=None)

    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(subprocess, "CREATE_NO_WINDOW", 0x08000000, raising=False)
    monkeypatch.setattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0x00000200, raising=False)
    monkeypatch.setattr(subprocess, "Popen", start)
    monkeypatch.setattr(subprocess, "run", start)
    return started


def test_a_child_has_no_console_and_its_own_group(children, windows, tmp_path):
    """So that no window opens, and Ctrl+C in Blender's console does not reach it."""
    command = children.ChildCommand("The backend", ("python é.exe",), tmp_path / "log é.txt")
    children._start(command)
    ((arguments, options),) = windows
    assert arguments == ["python é.exe"]
    assert options["creationflags"] == 0x08000200
    assert "start_new_session" not in options
    assert "shell" not in options


def test_a_child_is_killed_with_its_children(children, windows):
    """Windows has no process groups to kill: its own tool ends the tree."""
    children._kill_tree(SimpleNamespace(pid=42))
    assert [command for command, _ in windows] == [["taskkill", "/T", "/F", "/PID", "42"]]


@pytest.mark.usefixtures("windows")
def test_a_lease_never_ends_another_process(holders, monkeypatch):
    """What asks for a process on POSIX would end it on Windows: there only silence decides."""
    monkeypatch.setattr(os, "kill", lambda *_: pytest.fail("this would end the process"))
    assert not holders.this_process("run").is_dead
