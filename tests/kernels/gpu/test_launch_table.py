# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of launches: what has a row, what takes the safe one, and that launches read it."""

from __future__ import annotations

import pytest
import torch

from kernels.gpu import launch_table
from kernels.gpu.launch import launch
from kernels.gpu.launch_table import BY_MODEL, FILE, KERNELS, WIDTHS, Limits, read, write

PAPER = (8, 16, 32)  # queries of a tile, heads, width


def test_every_row_says_where_it_comes_from():
    """By the model, or a card with its versions; every architecture has all kernels and widths."""
    table = read(FILE)
    assert {8, 9, 10, 12} <= set(table.architectures)
    for rows in table.architectures.values():
        assert set(rows) == set(KERNELS)
        for kernel in KERNELS:
            assert set(rows[kernel]) == set(WIDTHS)
            for row in rows[kernel].values():
                assert row.source == BY_MODEL or "triton" in row.source


@pytest.mark.parametrize("kernel", KERNELS)
def test_what_nobody_runs_shares_one_row(kernel):
    """float32, heads 128 wide, and GPUs that are not in the table."""
    table = read(FILE)
    assert table.limits(kernel, 4, 32, 9) is table.safe
    assert table.limits(kernel, 2, 128, 9) is table.safe
    assert table.limits(kernel, 2, 32, 7) is table.safe
    assert table.limits(kernel, 2, 16, 9) is table.architectures[9][kernel][32]


def test_a_table_is_read_as_it_was_written(tmp_path):
    """Also with a measured row, and a new architecture of a single kernel."""
    row = Limits(64, 32, 4, 2, "a card, triton 3.7.1")
    table = read(FILE).with_row(9, "key", 32, row).with_row(11, "query", 64, row)
    write(table, tmp_path / "table.json")
    assert read(tmp_path / "table.json") == table
    assert table.limits("forward", 2, 64, 11) == table.safe


def test_the_file_is_as_it_would_be_written(tmp_path):
    """A sweep changes the lines of its own rows, and no others."""
    write(read(FILE), tmp_path / "table.json")
    assert (tmp_path / "table.json").read_text("utf-8") == FILE.read_text("utf-8")


def test_launches_read_the_table(tmp_path, monkeypatch):
    """Another table is another launch, for its own architecture only."""
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    before = launch("forward", torch.bfloat16, PAPER, 8)
    file = tmp_path / "table.json"
    write(read(FILE).with_row(9, "forward", 32, Limits(64, 64, 2, 5)), file)
    monkeypatch.setattr(launch_table, "FILE", file)
    launch_table.launch_table.cache_clear()
    try:
        found = launch("forward", torch.bfloat16, PAPER, 9)
        assert (found.tile * found.group, found.parts, found.warps, found.stages) == (64, 2, 2, 5)
        assert launch("forward", torch.bfloat16, PAPER, 8) == before
    finally:
        launch_table.launch_table.cache_clear()
