# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the tests of `interpreted/` in processes where Triton interprets, a file each."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("triton", reason="Triton is made for Linux and Windows")

FILES = sorted((Path(__file__).parent / "interpreted").glob("test_*.py"))
NO_TESTS_COLLECTED = 5


def run(file: Path, repository: Path, selection: str) -> str:
    """The output of pytest for a file; empty if all its tests pass."""
    result = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-m",
            selection,
            str(file),
        ],
        cwd=repository,
        env=os.environ | {"TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    passed = result.returncode in (0, NO_TESTS_COLLECTED)
    return "" if passed else result.stdout + result.stderr


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_interpreted(file, repository):
    """Every test of the file passes without a GPU."""
    assert not run(file, repository, "not slow")


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_interpreted_slow(file, repository):
    """The same for the slow tests."""
    assert not run(file, repository, "slow")
