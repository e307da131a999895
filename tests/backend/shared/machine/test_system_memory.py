# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Available memory: the limits of control groups count, as those of a farm's task."""

from __future__ import annotations

import sys

import pytest

from backend.shared.machine.system_memory import available_in_groups, available_memory, total_memory

GIBIBYTE = 1 << 30


@pytest.fixture
def groups(tmp_path):
    """A function that makes the files of control groups: the limit, what is used and cached."""
    root, membership = tmp_path / "cgroup", tmp_path / "membership"
    (root / "farm" / "task").mkdir(parents=True)
    membership.write_text("4:memory:/other\n0::/farm/task\n")

    def put(group: str, limit: object, used: int, cached: int) -> None:
        folder = root / group
        (folder / "memory.max").write_text(f"{limit}\n")
        (folder / "memory.current").write_text(f"{used}\n")
        (folder / "memory.stat").write_text(f"anon 1\ninactive_file {cached}\nactive_file 9\n")

    put.available = lambda: list(available_in_groups(membership, root))
    return put


def test_every_limit_around_a_process_counts(groups):
    """A group without a limit says nothing; cached files are given up for programs."""
    assert groups.available() == []
    groups("farm/task", "max", 3 * GIBIBYTE, 0)
    groups("farm", 8 * GIBIBYTE, 5 * GIBIBYTE, GIBIBYTE)
    assert groups.available() == [4 * GIBIBYTE]
    groups("farm/task", GIBIBYTE, 2 * GIBIBYTE, 0)
    assert groups.available() == [0, 4 * GIBIBYTE]


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc/meminfo")
def test_available_memory_is_part_of_the_total():
    """Some of the memory of this computer is available, and less than all of it."""
    assert 0 < available_memory() < total_memory()


def test_a_process_without_control_groups_has_no_limit(tmp_path):
    """Where the system has none, nothing is subtracted."""
    assert list(available_in_groups(tmp_path / "missing")) == []
