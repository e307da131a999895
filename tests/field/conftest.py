# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the field share."""

from __future__ import annotations

import pytest

from tests.path import conftest as captures


@pytest.fixture(scope="session")
def make_capture() -> captures.MakeCapture:
    """A function that writes a capture folder of an analytic shape."""
    return captures.write_analytic_capture
