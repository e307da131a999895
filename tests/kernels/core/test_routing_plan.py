# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routing plans agree with the block table they are made from, forward and inverse."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from backend.model.routing.tokens import all_tokens, tile_order
from kernels.core.routing_plan import RUN_TOKENS, KeyRuns, RoutingPlan
from kernels.selected_attention import selected_attention
from tests.kernels.sparse_cases import adversarial_cases, multiplicity

CASES = adversarial_cases()


def plans(name):
    """Case, table and tiles of every table."""
    case = CASES[name]
    plan = RoutingPlan(case.query_offsets, case.blocks, case.table, tile=8)
    return case, list(zip(multiplicity(case), plan.selected, strict=True))


def add(times, queries, mask, start, length):
    """Count the keys start .. start + length - 1 for the queries of a tile in a mask."""
    for slot, query in enumerate(queries.tolist()):
        if query >= 0 and mask >> slot & 1:
            times[query, start : start + length] += 1


@pytest.mark.parametrize("name", CASES)
def test_runs_cover_the_table(name):
    """All runs of all tiles together read every key as often as the table selects it."""
    _, tables = plans(name)
    for wanted, tiles in tables:
        times, runs = torch.zeros_like(wanted), tiles.runs
        assert ((runs.length > 0) & (runs.length <= RUN_TOKENS)).all()
        for tile, queries in enumerate(tiles.queries):
            for run in range(int(runs.offsets[tile]), int(runs.offsets[tile + 1])):
                numbers = (int(t[run]) for t in (runs.mask, runs.start, runs.length))
                add(times, queries, *numbers)
        assert torch.equal(times, wanted)


@pytest.mark.parametrize("longest", [1, 256])
@pytest.mark.parametrize("name", CASES)
def test_inverse_covers_the_table(name, longest, monkeypatch):
    """The readers of all pieces count the same, for lists of any length."""
    monkeypatch.setattr("kernels.core.routing_plan._LIST_TILES", longest)
    _, tables = plans(name)
    for wanted, tiles in tables:
        times, inverse = torch.zeros_like(wanted), tiles.inverse
        covered = torch.zeros(wanted.shape[1])
        for start, length in zip(inverse.start.tolist(), inverse.length.tolist(), strict=True):
            covered[start : start + length] += 1
        assert (covered == 1).all()
        for number, piece in enumerate(inverse.list_piece.tolist()):
            first, last = inverse.list_readers[:, number].tolist()
            assert last - first <= longest
            assert inverse.list_offsets[piece] <= number < inverse.list_offsets[piece + 1]
            for reader in range(first, last):
                numbers = (int(t[piece]) for t in (inverse.start, inverse.length))
                add(times, inverse.queries[reader], -1, *numbers)
        assert torch.equal(times, wanted)


def test_runs_are_packed_in_eight_bytes():
    """Start, length and mask come back, also the mask of 32 queries and the last start."""
    mask = torch.tensor([-1, 1 << 31, 0b101, 1]).int()
    runs = KeyRuns(
        torch.tensor([0, 4]),
        torch.tensor([0, 70, (1 << 25) - 1, 5]).int(),
        torch.tensor([1, RUN_TOKENS, 7, 63]).int(),
        mask,
    )
    place = runs.packed >> 32
    assert torch.equal(place >> 6, runs.start.long())
    assert torch.equal((place & 63) + 1, runs.length.long())
    assert torch.equal(runs.packed.int(), mask)
    beyond = replace(runs, start=runs.start + 1)
    with pytest.raises(ValueError, match="behind row 33554432"):
        beyond.packed  # noqa: B018 - computed when it is read


def test_every_query_is_in_one_tile():
    """Tiles hold neighbors of one instance, and every query once."""
    case, ((_, tiles),) = plans("instances of different size")
    queries = tiles.queries[tiles.queries >= 0]
    assert torch.equal(queries.sort().values, torch.arange(sum(case.queries), dtype=torch.int32))
    instance = torch.repeat_interleave(torch.arange(3), torch.tensor(case.queries))
    for queries in tiles.queries:
        assert len(instance[queries[queries >= 0].long()].unique()) == 1


def test_the_order_of_tiles_changes_no_result():
    """Queries may be tiled in any order inside an instance; outputs keep their rows."""
    case = CASES["instances of different size"]
    order = torch.cat([torch.arange(12, -1, -1), torch.tensor([14, 13, 15])])
    query, key, value, _ = case.tensors(torch.float64)
    results = [
        selected_attention(
            query,
            key,
            value,
            RoutingPlan(case.query_offsets, case.blocks, case.table, tile=8, order=each),
        )
        for each in (None, order)
    ]
    for wanted, found in zip(*results, strict=True):
        torch.testing.assert_close(found, wanted)


def test_z_order_makes_cubes_and_squares():
    """Eight neighbors along the curve are a cube of voxels; four are a square of patches."""
    cube = tile_order(all_tokens(1, 8, 8, 8), 8, volume=True).view(-1, 8)
    for axis in all_tokens(1, 8, 8, 8).T[1:]:
        assert (axis[cube].amax(1) - axis[cube].amin(1) == 1).all()
    square = tile_order(all_tokens(1, 1, 8, 8), 8, volume=False).view(-1, 4)
    for axis in all_tokens(1, 1, 8, 8).T[2:]:
        assert (axis[square].amax(1) - axis[square].amin(1) == 1).all()


def test_neighbors_that_share_blocks_read_them_once():
    """A tile of queries with one list of blocks reads that list, joined where it is contiguous."""
    table = torch.tensor([0, 1, 3]).expand(1, 8, 3)
    case = CASES["rows without blocks"]  # blocks of 7, 9, 2 and 30 tokens
    (tiles,) = RoutingPlan(torch.tensor([0, 8]), case.blocks, table, tile=8).selected
    assert tiles.incoherence == 1
    assert tiles.runs.start.tolist() == [0, 18]
    assert tiles.runs.length.tolist() == [16, 30]
    assert tiles.runs.mask.tolist() == [255, 255]


def test_tables_without_coherence_have_tiles_of_one_query():
    """If a union is more than three lists long, sharing costs more than it saves."""
    table = torch.arange(16).view(1, 16, 1)
    case = CASES["blocks of 1 and 512"]
    blocks = type(case.blocks)(torch.arange(17).int(), torch.tensor([0, 16]).int())
    (tiles,) = RoutingPlan(torch.tensor([0, 16]), blocks, table, tile=8).selected
    assert tiles.queries.shape == (16, 1)


def test_plans_are_made_once():
    """All layers get the very same tiles, runs and inverse."""
    case = CASES["one head"]
    plan = RoutingPlan(case.query_offsets, case.blocks, case.table)
    assert plan.selected is plan.selected
    assert plan.selected[0].runs is plan.selected[0].runs
    assert plan.selected[0].inverse is plan.selected[0].inverse
    assert plan.compressed is plan.compressed
