# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernels are compared with: fair, right, or named as missing."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest
import torch

from benchmarks.kernels import baselines, timings
from benchmarks.kernels.baselines import (
    CACHE_SLACK,
    Comparison,
    Way,
    _fused,
    baseline_counts,
    over_query_centric,
    query_centric_limit,
)
from benchmarks.kernels.block_sparse import BlockSparseAttention
from benchmarks.kernels.card import Card, ClockLog, Work
from benchmarks.kernels.machines import H100
from benchmarks.kernels.report import report_on_gpu
from benchmarks.kernels.scene import Scene, scene_of, toy_views
from benchmarks.kernels.spot_check import loop, spot_check
from benchmarks.kernels.timings import Row, Stopwatch, first_queries, streams_of
from kernels.core.dispatch import forced
from kernels.selected_attention import selected_attention

CARD = Card(H100.processors, H100.gigahertz, 4e5, 4e12, H100.cache_bytes)
BASELINE = "volume_to_volume, query-centric, forward"


@pytest.fixture(scope="module")
def once():
    """The toy at 16^3 from four sides."""
    return scene_of(toy_views(4), "toy", 16)


@pytest.fixture(scope="module")
def scene(once):
    """The same as two instances."""
    return once.repeated(2 * once.plans["volume_to_volume"].queries)


@pytest.mark.parametrize(("keys", "milliseconds"), [(2823, 39), (3554, 49), (4236, 58)])
def test_the_limit_of_the_baseline_follows_from_the_keys_of_its_queries(keys, milliseconds):
    """300K queries, 2 key/value heads, keys and values of 32 numbers of 2 bytes, through L2."""
    work = Work(cache_bytes=300_000 * keys * 2 * 2 * 32 * 2)
    bounds = CARD.bounds(work)
    assert bounds["L2"] == pytest.approx(milliseconds, abs=0.5)
    limit = CACHE_SLACK * bounds["L2"]
    for factor, counts in ((0.99, True), (1.01, False)):
        row = Row(BASELINE, 300_000, factor * limit, 0.0, None, None, 1.755, bounds)
        assert query_centric_limit([row]) == limit
        assert baseline_counts([row]) is counts


def test_no_limit_for_a_card_whose_cache_is_unknown():
    """Then the baseline does not count; neither does one that did not run."""
    row = Row(BASELINE, 10, 1.0, 0.0, None, None, 1.0, {"exponents": 0.1})
    assert query_centric_limit([row]) is None
    assert not baseline_counts([row])
    assert not baseline_counts([])


def test_ratios_are_those_of_the_same_direction_and_pass():
    """A pass that only one of them has is left out."""
    times = [("a, tiles, forward", 2.0), ("a, query-centric, forward", 5.0),
             ("a, tiles, backward", 3.0), ("a, compressed, tiles, forward", 1.0)]  # fmt: skip
    rows = [Row(name, 1, ms, 0.0, None, None) for name, ms in times]
    assert over_query_centric(rows) == {"a, tiles, forward": 2.5}


def test_what_is_missing_is_named_with_its_reason(monkeypatch):
    """Not installed, or wrong; a failure of LSRM's own kernels is an error."""
    monkeypatch.setattr(timings, "clock", lambda *_: 0.001)
    wanted, found = torch.randn(20, 2, 32), Comparison()

    def way(name, result, **options):
        return Way(name, Work(), lambda: lambda: result, **options)

    def absent():
        raise ModuleNotFoundError("No module named 'flashinfer'")

    for each in (
        way("right", (wanted * 1.001, None), wanted=wanted),
        way("wrong", wanted * 1.1, wanted=wanted),
        way("of its own", wanted * 1.1),
        Way("absent", Work(), absent),
    ):
        found.time("there", 20, each, Stopwatch())
    assert [row.name for row in found.rows] == ["there, right", "there, of its own"]
    assert found.missing == {
        "there, wrong": "computes something else",
        "there, absent": "ModuleNotFoundError: No module named 'flashinfer'",
    }
    with pytest.raises(ModuleNotFoundError):
        found.time("there", 20, Way("tiles", Work(), absent, own=True), Stopwatch())


def test_flash_attn_is_missing_with_the_reason_of_the_door(monkeypatch):
    """As `doctor` says it."""
    monkeypatch.setattr(timings, "clock", lambda *_: 0.001)
    monkeypatch.setattr("benchmarks.kernels.baselines.obstacle", lambda *_: "an old card")
    found = Comparison()
    for way in _fused("dense", Work(), lambda: torch.zeros(1)):
        found.time("there", 1, way, Stopwatch())
    assert [row.name for row in found.rows] == ["there, dense, torch, forward"]
    assert found.missing == {"there, dense, flash-attn, forward": "RuntimeError: an old card"}


class Wrapper:
    """FlashInfer's planned kernel by torch: it checks what its documentation asks for."""

    def __init__(self, workspace):
        assert workspace.dtype == torch.uint8

    def plan(self, block_mask_map, block_row_sz, block_col_sz, *numbers, **options):
        """Which blocks of keys every block of queries sees."""
        num_qo_heads, num_kv_heads, head_dim = numbers
        heads, rows, columns = block_mask_map.shape
        assert block_mask_map.dtype == torch.bool
        assert (block_row_sz.shape, block_col_sz.shape) == ((heads, rows), (heads, columns))
        assert block_row_sz.dtype == block_col_sz.dtype == torch.int32
        assert (heads, num_qo_heads % num_kv_heads, head_dim) == (num_kv_heads, 0, 64)
        seen = block_mask_map[0].repeat_interleave(block_row_sz[0].long(), 0)
        self.seen = seen.repeat_interleave(block_col_sz[0].long(), 1)
        self.group, self.options = num_qo_heads // num_kv_heads, options

    def run(self, q, k, v):
        """Streams and result with the heads first."""
        assert q.dtype == self.options["q_data_type"]
        assert q.is_contiguous()
        assert k.is_contiguous()
        assert q.shape[2] == k.shape[2] == 64
        key, value = (each.repeat_interleave(self.group, 0) for each in (k, v))
        scores = q @ key.mT * self.options["sm_scale"]
        return scores.masked_fill(~self.seen, -torch.inf).softmax(-1) @ value


@pytest.fixture
def _flashinfer(monkeypatch):
    library, sparse = ModuleType("flashinfer"), ModuleType("flashinfer.sparse")
    sparse.VariableBlockSparseAttentionWrapper = Wrapper
    monkeypatch.setitem(sys.modules, "flashinfer", library)
    monkeypatch.setitem(sys.modules, "flashinfer.sparse", sparse)


@pytest.mark.usefixtures("_flashinfer")
def test_the_block_sparse_kernel_does_the_same_query_by_query(scene):
    """Two instances, narrow heads padded, queries in the order of their tiles."""
    plan = scene.plans["image_to_volume"]
    streams = streams_of(plan, (4, 2), torch.float32)
    found = BlockSparseAttention.of(plan.tiled(1), (4, 2), streams[0])(*streams)
    torch.testing.assert_close(found, selected_attention(*streams, plan)[0])
    unions = BlockSparseAttention.of(plan.tiled(8), (4, 2), streams[0])(*streams)
    assert unions.isfinite().all()


def test_some_queries_of_all_instances_are_checked(scene, monkeypatch):
    """At the full size; an error of one in a hundred of their values is found."""
    plan = scene.plans["volume_to_image"]
    streams = streams_of(plan, (4, 2), torch.float32)
    check = spot_check(plan, streams)
    assert check.ok
    assert (check.queries, check.of) == (256, plan.queries)
    rows = torch.tensor([0, plan.queries - 1])
    wanted = selected_attention(*streams, plan)[0][rows]
    torch.testing.assert_close(loop(*streams, plan, rows), wanted)
    exact = selected_attention

    def wrong(*given, **options):
        out, lse = exact(*given, **options)
        out[::100] *= 1.1
        return out, lse

    monkeypatch.setattr("benchmarks.kernels.spot_check.selected_attention", wrong)
    assert not spot_check(plan, streams).ok


def test_all_rows_of_a_gpu_are_timed_or_named(once, monkeypatch):
    """`bench kernels` with a pretended card and clock, but for the loops that Triton compiles."""
    pytest.importorskip("triton", reason="Triton is made for Linux and Windows")
    from benchmarks.kernels import query_centric
    from kernels.gpu import tile_attention_backward

    monkeypatch.setattr(timings, "clock", lambda call, _patience: call() is not None and 0.003)
    monkeypatch.setattr(baselines, "GPU_HEADS", (4, 2))
    monkeypatch.setattr(query_centric, "query_centric_forward", selected_attention)
    monkeypatch.setattr(query_centric, "query_centric_backward", lambda *_: (0, 0, 0))
    monkeypatch.setattr(tile_attention_backward, "backward", lambda *_, **__: (0, 0, 0))
    monkeypatch.setattr(baselines.FlexAttention, "of", lambda *_, **__: 1 / 0)
    monkeypatch.setitem(sys.modules, "flashinfer.sparse", None)
    plan = first_queries(once.plans["volume_to_volume"], 48)
    watch = Stopwatch(CARD, ClockLog(lambda: None))
    with forced("reference"):
        found = report_on_gpu(Scene("toy", {"volume_to_volume": plan}), watch)
    assert found["spot_checks"]["volume_to_volume"]["ok"]
    assert found["card"]["gigahertz"] == H100.gigahertz
    names = [row["name"].removeprefix("volume_to_volume, ") for row in found["times"]]
    assert names == [
        "tiles, forward", "query-centric, forward", "tiles, backward", "query-centric, backward",
        "dense, torch, forward", "compressed, tiles, forward", "compressed, torch, forward",
    ]  # fmt: skip
    assert [name.removeprefix("volume_to_volume, ") for name in found["missing"]] == [
        "flex_attention, forward", "flashinfer by query, forward",
        "flashinfer, whole unions of tiles, forward", "dense, flash-attn, forward",
        "compressed, flash-attn, forward",
    ]  # fmt: skip
    assert found["over_query_centric"]["volume_to_volume, tiles, backward"] == 1
    cache = found["times"][1]["bounds"]["L2"]
    assert found["baseline_limit_milliseconds"] == CACHE_SLACK * cache
    assert found["baseline_counts"] == (CACHE_SLACK * cache >= 3)
