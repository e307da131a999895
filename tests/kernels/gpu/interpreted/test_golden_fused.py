# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The golden cases that kernels take part in, with every kernel in Triton, float32."""

from __future__ import annotations

import pytest

from benchmarks.parity.parity import run_case


def wrong(folder):
    """Tensors of a case that are out of tolerance, with their errors."""
    return {row.name: row.error for row in run_case(folder) if not row.ok}


@pytest.mark.parametrize("name", ["attention_units", "sparse_score", "render"])
def test_units_and_a_small_stage(shared, name):
    """Every unit of sparse attention, a layer of both streams, five layers routed by score."""
    assert not wrong(shared / "golden" / name)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", ["sparse_rgb", "sparse_brdf", "routing_few", "volsdf_sparse_rgb"])
def test_whole_stage(shared, name):
    """Nine layers routed by geometry, the routing, the field: within the reference's tolerance."""
    assert not wrong(shared / "golden" / name)
