# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""`bench sweep` with a pretended timer: what it tries, what it takes, what it writes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from benchmarks.kernels import sweep
from benchmarks.kernels.sweep import Timed, agrees, candidates, fastest, run_sweep, timed
from kernels.core.routing_plan import RoutingPlan
from kernels.gpu.launch_table import BY_MODEL, FILE, KERNELS, Limits, read, write
from tests.kernels.sparse_cases import Case

BEST = {
    "forward": Limits(128, 64, 8, 4),
    "query": Limits(64, 64, 4, 2),
    "key": Limits(128, 32, 4, 3),
}


def pretended(kernel: str, limits: Limits) -> float | None:
    """A card on which one launch is fastest, and none of 5 stages fits."""
    if limits.stages == 5:
        return None
    return 1.0 if limits == BEST[kernel] else 2.0 + limits.warps


@pytest.mark.parametrize("kernel", KERNELS)
def test_candidates_differ_in_warps_stages_and_size(kernel):
    """Each once, the table's own row for the newest datacenter GPUs among them."""
    found = candidates(kernel)
    assert len(set(found)) == len(found)
    for field in ("warps", "stages", "rows"):
        assert len({getattr(each, field) for each in found}) > 1
    assert replace(read(FILE).architectures[9][kernel][32], source=BY_MODEL) in found


def test_the_fastest_candidate_of_each_kernel_becomes_its_row():
    """With its source; rows of other widths and architectures stay."""
    before = read(FILE)
    after = fastest(before, timed(pretended), 9, 32, "a card, triton 3.7.1")
    for kernel in KERNELS:
        row = after.architectures[9][kernel][32]
        assert (row.rows, row.keys, row.warps, row.stages) == tuple(
            getattr(BEST[kernel], field) for field in ("rows", "keys", "warps", "stages")
        )
        assert row.source == "a card, triton 3.7.1"
        assert after.architectures[9][kernel][64] == before.architectures[9][kernel][64]
    assert after.architectures[8] == before.architectures[8]


def test_a_kernel_of_which_no_candidate_runs_keeps_its_row():
    """A table never loses a row."""
    failed = [Timed("query", limits, None) for limits in candidates("query")]
    table = read(FILE)
    assert fastest(table, failed, 9, 32, "a card") == table


def test_a_new_architecture_gets_rows():
    """What took the safe row until now."""
    after = fastest(read(FILE), timed(pretended), 13, 32, "a card, triton 3.7.1")
    assert after.limits("forward", 2, 32, 13).stages == 4
    assert after.limits("forward", 2, 64, 13) == after.safe


def test_wrong_results_and_nan_do_not_agree():
    """A launch that computes something else is no candidate; equal infinities are no error."""
    wanted = torch.randn(50), torch.tensor([1.0, -torch.inf])
    assert agrees((wanted[0] * 1.001, wanted[1]), wanted)
    assert not agrees((wanted[0] * 1.1, wanted[1]), wanted)
    assert not agrees((wanted[0] * torch.nan, wanted[1]), wanted)


def test_a_sweep_writes_the_table(tmp_path, monkeypatch):
    """The source names card, versions and object; the report has every candidate."""

    class Scene:
        name, plans = "toy x 2", {}

    monkeypatch.setattr(sweep, "CardTimer", lambda plans, seconds: pretended)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Some Card")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (9, 0))
    file = tmp_path / "table.json"
    write(read(FILE), file)
    report = run_sweep(Scene(), file)
    row = read(file).architectures[9]["forward"][32]
    assert row.warps == 8
    assert row.source.startswith("Some Card, torch ")
    assert row.source.endswith("toy x 2")
    assert read(file).architectures[12] == read(FILE).architectures[12]
    assert len(report["candidates"]) == sum(len(candidates(kernel)) for kernel in KERNELS)
    assert report["compressed_milliseconds"] == {"tiles": 0.0, "flash-attn": 0.0}  # no direction
    assert read(file).compressed_by_flash == {}


@pytest.mark.parametrize(("factor", "found"), [(1.0, 6.0), (1.1, None)])
def test_flash_attn_is_timed_where_it_is_right(monkeypatch, factor, found):
    """Both ways through the compressed branch; a wrong result is no candidate."""
    monkeypatch.setattr(sweep, "obstacle", lambda *_: "")
    exact = sweep.attention
    monkeypatch.setattr(sweep, "attention", lambda *given: factor * exact(*given))
    case = Case(((3, 5, 2), (4,)), (7, 5), torch.zeros(1, 12, 1))
    plan = RoutingPlan(case.query_offsets, case.blocks)
    spent = sweep.compressed_times([plan, plan], lambda _call: 0.003)
    assert spent == {"tiles": 6.0} | ({"flash-attn": found} if found else {})


def test_only_a_faster_flash_attn_is_written():
    """Not one that takes as long, nor one that is not there."""
    assert sweep.by_flash({"tiles": 2.0, "flash-attn": 1.5}, "a card").startswith("1.50 ms")
    assert not sweep.by_flash({"tiles": 2.0, "flash-attn": 2.0}, "a card")
    assert not sweep.by_flash({"tiles": 2.0}, "a card")
