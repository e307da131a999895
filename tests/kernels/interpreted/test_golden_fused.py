# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The golden cases of the sparse stage with every kernel in Triton, float32."""

from __future__ import annotations

import pytest

from backend.parity import run_case


def wrong(folder):
    """Tensors of a case that are out of tolerance, with their errors."""
    return {row.name: row.error for row in run_case(folder) if not row.ok}


def test_units_and_a_layer(shared):
    """Every unit of sparse attention, and a layer of both streams."""
    assert not wrong(shared / "golden" / "attention_units")


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", ["sparse_rgb", "sparse_brdf", "sparse_score"])
def test_whole_stage(shared, name):
    """Every stored tensor, within the tolerance that the reference is held to."""
    assert not wrong(shared / "golden" / name)
