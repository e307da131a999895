# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The measured processes compute one object together, and all their times are of that."""

from __future__ import annotations

import pytest

from benchmarks.kernels.scene import toy_views
from benchmarks.scaling import throughput
from benchmarks.scaling.throughput import Throughput, measure, measured_config


def test_speedups_are_of_medians_and_of_the_worst():
    """An outlier moves the worst ratio only."""
    found = Throughput(9, (4.0, 4.2, 9.0), (2.0, 3.0, 2.1), 3.0, (1.0, 2.0), ({}, {}), 0.0)
    assert found.speedup == 2
    assert found.slowest_speedup == pytest.approx(4 / 3)
    assert found.cpu_speedup == 1.5


@pytest.mark.slow
def test_processes_agree_with_one():
    """Same voxels, as many times as repeats, and keys and values of the other one received."""
    found = measure(toy_views(3), "toy", 2, measured_config(16, 64))
    assert found.difference < 1e-5
    assert len(found.alone) == len(found.shared) == throughput.REPEATS
    assert all(each["all_gather"] > 0 for each in found.received_bytes)
