# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmarks measure what they report, on the routing of an object."""

from __future__ import annotations

import json
import math

import pytest
import torch

from backend.commands.command_line import main
from backend.pipeline import STAGES_OF_NETWORK
from benchmarks import bench
from benchmarks.kernels import network, report, timings
from benchmarks.kernels.flex import FlexAttention
from benchmarks.kernels.scene import DIRECTIONS, scene_of, toy_views
from kernels.core.plan_statistics import statistics
from kernels.selected_attention import selected_attention
from tests.kernels.gpu.network_cases import tiny_network
from tests.kernels.sparse_cases import Case


@pytest.fixture(scope="module")
def scene():
    """The toy at 16^3 from four sides."""
    return scene_of(toy_views(4), "toy", 16)


def test_the_loop_and_the_reference_do_the_same(scene):
    """Both sides of the comparison compute one thing: float32 sums of about 1000 keys."""
    plan = timings.first_queries(scene.plans["volume_to_image"], 20)
    query, key, value = timings.streams_of(plan, (4, 2), torch.float32)
    found, _ = selected_attention(query, key, value, plan)
    torch.testing.assert_close(found, timings.loop(query, key, value, plan))


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
def test_flex_attention_does_the_same(scene):
    """The block mask agrees with the table."""
    plan = scene.plans["image_to_volume"]
    query, key, value = timings.streams_of(plan, (4, 2), torch.float32)
    wanted, _ = selected_attention(query, key, value, plan)
    found = FlexAttention.of(plan, compiled=False)(query, key, value)
    torch.testing.assert_close(found, wanted)


def test_repeating_an_object_keeps_its_routing(scene):
    """The stated rule of scaling: as many instances, tiles and pairs, nothing else."""
    once = scene.plans["volume_to_image"]
    count = scene.plans["volume_to_volume"].queries
    twice = scene.repeated(2 * count + 1).plans["volume_to_image"]
    one, two = (statistics(plan.tiled(8).selected[0]) for plan in (once, twice))
    assert (two.pairs, two.tiles, two.keys) == (2 * one.pairs, 2 * one.tiles, 2 * one.keys)
    assert two.useful_share == pytest.approx(one.useful_share)


def test_cut_plans_select_existing_blocks(scene):
    """With fewer tokens every query still selects as many blocks, all of which exist."""
    plan = timings.first_queries(scene.plans["volume_to_volume"], 900, keys_too=True)
    assert plan.queries == int(plan.blocks.token_offsets[-1]) <= 900
    assert int(plan.table.max()) < plan.blocks.count


def test_statistics_count_by_hand():
    """Two queries in one tile: blocks of 2 and 5 keys, the second for one of them only."""
    from kernels.core.routing_plan import RoutingPlan

    case = Case(((2, 5),), (2,), torch.tensor([[[0, 1], [0, -1]]]))
    plan = RoutingPlan(case.query_offsets, case.blocks, case.table, 8)
    numbers = statistics(plan.selected[0])
    assert (numbers.pairs, numbers.keys_per_query, numbers.union_blocks) == (9, 4.5, 2)
    assert numbers.traffic == pytest.approx(7 / 9)
    assert numbers.full_share == pytest.approx(2 / 7)
    assert numbers.useful_share == pytest.approx(9 / (2 * 64 * 8))


def test_the_crossover_is_a_ratio_of_one_run():
    """Both rows of a size are compared; sizes that only one of them has are left out."""
    names = "selected, reference, forward", "dense, torch, forward"
    times = [(names[0], 10, 4.0), (names[1], 10, 2.0), (names[0], 90, 3.0), (names[1], 90, 9.0)]
    times.append(("selected, loop over queries, forward", 90, 1.0))
    times.append((names[0], 256, 1.0))
    rows = [timings.Row(name, n, ms, 0.0, None, None) for name, n, ms in times]
    assert report.crossover(rows) == {10: 0.5, 90: 3.0}


def test_the_network_runs_through_the_pipeline():
    """All stages are timed, find the given surface, and their attention is counted."""
    config = tiny_network(16)
    found = network.run_network(toy_views(4), config, torch.device("cpu"))
    assert list(found["stages"]) == list(STAGES_OF_NETWORK)
    assert all(cost["seconds"] > 0 for cost in found["stages"].values())
    assert found["stages"]["dense stage"]["product_tflop"] > 0
    # a ball of radius 0.4 in a cube of side 1.05: at least its surface, at most all of it
    assert 4 * math.pi * 6**2 < found["tokens"]["volume_tokens"] < 16**3
    seen = found["tokens"]["volume_tokens"] * config.sparse.transformer.query_heads
    assert found["exponentials"] > seen  # each sees at least itself


def test_reports_are_written_part_by_part(tmp_path, monkeypatch, capsys):
    """The file has date, versions and all parts so far, also if a later part fails."""
    parts = {"checks": lambda _: {"checks": []}, "kernels": lambda _: {"times": [1]}}
    parts["network"] = lambda _: 1 / 0
    monkeypatch.setattr(bench, "PARTS", parts)
    assert main(["bench", "all", "--out", str(tmp_path / "found.json")]) == 1
    found = json.loads((tmp_path / "found.json").read_text("utf-8"))
    assert found["times"] == [1]
    assert found["machine"]["torch"] == torch.__version__
    assert len(found["date"]) == 10
    assert "not measured on a GPU" in capsys.readouterr().err


def test_a_wrong_kernel_is_a_failure(monkeypatch):
    """The command fails if a check does, so that no time of a wrong kernel is believed."""
    monkeypatch.setattr(bench, "PARTS", {"checks": lambda _: {"checks": [{"ok": False}]}})
    assert main(["bench", "checks"]) == 1


def test_without_a_gpu_the_report_says_so(capsys, monkeypatch, scene):
    """No figure of a GPU is printed where there is none."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(report, "report_on_cpu", lambda *_: {})
    monkeypatch.setattr("benchmarks.kernels.scene.scene_of", lambda *_: scene)
    assert main(["bench", "kernels", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["gpu"] == "not measured on a GPU"
    assert set(found["routing"]) == set(DIRECTIONS)
