# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all tests share: where the reference data lies, if it lies anywhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout under test."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference data; skips the test where it is absent."""
    folder = Path(os.environ.get("LSRM_SHARED", REPOSITORY.parent / "shared")).resolve()
    if not (folder / "golden").is_dir():
        pytest.skip(f"no reference data at {folder}; set LSRM_SHARED to run this test")
    return folder
