# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The FLIP error: none between equal images, larger for larger differences, named when missing."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from backend.result.flip_scores import mean_flip
from backend.shared.errors import EnvironmentBroken

WHITE = np.ones((32, 32, 3), np.float32)


def test_larger_differences_have_larger_errors():
    pytest.importorskip("flip_evaluator", reason="only measurements install flip-evaluator")
    assert mean_flip(WHITE, WHITE) == 0
    assert 0 < mean_flip(0.9 * WHITE, WHITE) < mean_flip(0.5 * WHITE, WHITE) < 1


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "flip_evaluator", None)
    with pytest.raises(EnvironmentBroken, match="flip-evaluator") as caught:
        mean_flip(WHITE, WHITE)
    assert "pip install" in caught.value.remedy
