# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Balance and scale: what is computed follows from what was measured, and says so."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch

from backend.commands.command_line import main
from backend.model.config.presets import preset
from backend.parallel.cost_model import KINDS, CostModel
from benchmarks.kernels.layer import layer_config
from benchmarks.kernels.scene import scene_of, toy_views
from benchmarks.scaling import layers, report, scale_model
from benchmarks.scaling.layers import LayerTime
from benchmarks.scaling.scale_model import CARD, LINKS, Links
from benchmarks.scaling.workload import Workload, max_over_mean

RELEASED = preset("lsrm-rgb").sparse


@pytest.fixture(scope="module")
def scene():
    """The toy at 16^3 from four sides."""
    return scene_of(toy_views(4), "toy", 16)


@pytest.fixture(scope="module")
def load(scene):
    """Its workload in the released layers."""
    return Workload.of(scene, RELEASED.transformer)


def synthetic(count=40):
    """Layers whose times follow a model exactly, and that model."""
    model = CostModel((1e-11, 0.0, 2e-9), 0.01)
    generator = np.random.default_rng(0)
    work = generator.uniform(1e6, 1e9, (count, len(KINDS)))
    times = [
        LayerTime(f"object {n % 4}", 16, 64, 1, 9, tuple(row), model.seconds(torch.tensor(row)))
        for n, row in enumerate(work)
    ]
    return model, times


def test_the_fit_finds_the_rates():
    """Exact times have an exact model, on objects left out as well."""
    model, times = synthetic()
    found = layers.fit(times)
    assert found.rates == pytest.approx(model.rates, rel=1e-6, abs=1e-15)
    assert found.layer == pytest.approx(model.layer, rel=1e-6)
    assert np.abs(layers.errors(found, times)).max() < 1e-9
    assert np.abs(layers.errors_on_other_objects(times)).max() < 1e-9


def test_rates_are_never_negative():
    """A kind of work that seems to save time costs nothing instead."""
    _, times = synthetic(12)
    noisy = [
        LayerTime(**{**vars(each), "seconds": each.seconds * (0.7 + 0.05 * n)})
        for n, each in enumerate(times)
    ]
    found = layers.fit(noisy)
    assert min(*found.rates, found.layer) >= 0


def test_a_timed_layer_states_its_work(scene):
    """The time is of the layer whose work is counted: all its tokens, widths and blocks."""
    config = layer_config(64)
    load = Workload.of(scene, config)
    assert layers._time(scene, config.width, repeats=1) > 0
    assert load.count == sum(
        scene.plans[each].queries for each in ("volume_to_volume", "image_to_image")
    )
    thinned = Workload.of(type(scene)("toy", layers._thinned(scene.plans, 4)), config)
    column = KINDS.index("scores")
    assert thinned.work[0][:, column].sum() < load.work[0][:, column].sum()


def test_work_of_equal_objects_adds_up(load):
    """Twice the tokens and twice the work, blocks apart."""
    twice = load.repeated(2)
    assert twice.count == 2 * load.count
    assert CARD.seconds(twice.work[0]) == pytest.approx(2 * CARD.seconds(load.work[0]) - CARD.layer)


def test_ranks_receive_what_the_others_send(load):
    """The ranks with the most tokens and the most blocks decide what all send."""
    shares = load.shared(CARD, [1.0] * 3, "contiguous")
    streams = list(zip(load.tokens, shares.ranks, strict=True))
    tokens = max(sum(int(t[r == rank].sum()) for t, r in streams) for rank in range(3))
    blocks = max(sum(int((r == rank).sum()) for _, r in streams) for rank in range(3))
    assert shares.longest() == tokens + 2 * blocks
    assert shares.received(4) == 2 * shares.longest() * 2 * 64 * 4
    assert float(shares.tokens.sum()) == load.count


def test_balanced_ranks_end_closer_together(load):
    """As the cost model sees it."""
    found = {
        policy: max_over_mean(load.repeated(4).shared(CARD, [1.0] * 4, policy).seconds)
        for policy in ("contiguous", "balanced")
    }
    assert 1 <= found["balanced"] <= min(found["contiguous"], 1.05)


def test_a_gather_takes_its_bytes_and_its_steps():
    """One node: seven parts through fast links. Two: once more as many through the slow ones."""
    links = Links(8, 100.0, 10.0, 0.5, 2.0)
    assert links.all_gather(1000, 1) == 0
    assert links.all_gather(1000, 8) == 7 * 10 + 3 * 0.5
    assert links.all_gather(1000, 16) == 7 * 2 * 10 + 100 + 3 * 0.5 + 2


def test_one_object_stops_paying(load):
    """Efficiency falls, memory falls to the weights, and both limits are counts of the table."""
    steps = scale_model.share_one_object(load, CARD, RELEASED)
    assert [step.gpus for step in steps] == [2**n for n in range(11)]
    assert steps[0].traffic_seconds == steps[0].received_gigabytes == 0
    assert all(step.efficiency(steps[0]) <= 1 + 1e-9 for step in steps)
    assert steps[-1].efficiency(steps[0]) < scale_model.WORTH_IT
    assert scale_model.worth_it(steps) < 1024
    assert scale_model.fastest(steps) <= 1024
    weights = scale_model.weights_of(RELEASED) * scale_model.BYTES / 1e9
    assert weights < steps[3].memory_gigabytes < steps[0].memory_gigabytes


def test_training_scales_further(load):
    """Each GPU brings an object, so the work of a GPU stays, and weights are spread."""
    alone, *_, many = scale_model.train(load, CARD, RELEASED)
    assert many.objects == many.gpus == 1024
    assert many.efficiency(alone) > 4 * scale_model.WORTH_IT / 1024
    assert many.memory_gigabytes < alone.memory_gigabytes
    of_weights = scale_model.TRAINING_GATHERS * scale_model.weights_of(RELEASED) * 2 / 1e9
    assert many.received_gigabytes > of_weights * 1023 / 1024


def test_links_are_stated():
    """Four fifths of NVLink 4 and of InfiniBand NDR, per direction."""
    assert (LINKS.in_node, LINKS.between) == (360e9, 40e9)


def test_reports_mark_what_is_computed(monkeypatch, capsys):
    """The whole command at toy size: the file says what is measured, and nobody can mistake it."""
    monkeypatch.setattr(layers, "RESOLUTIONS", {"cpu": (8,), "cuda": (8,)})
    monkeypatch.setattr(layers, "WIDTHS", (64,))
    monkeypatch.setattr(report, "RESOLUTION", 8)
    monkeypatch.setattr("benchmarks.kernels.scene.toy_views", lambda: toy_views(3))
    monkeypatch.setattr(report, "PAPER_TOKENS", 1000)
    assert main(["bench", "scaling", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert "not measured" in found["computed"]["note"]
    assert found["computed"]["links"]["gpus_per_node"] == 8
    assert len(found["layers"]) == len(layers.THINNINGS)
    assert set(found["cost_model"]["rates"]) == set(KINDS)
    assert main(["bench", "balance", "--json"]) == 0
    captured = capsys.readouterr()
    toy = json.loads(captured.out)["balance"]["objects"]["toy"]
    assert toy["balanced"]["cost"] <= toy["contiguous"]["cost"]
    assert "latest rank over mean" in captured.err
    assert math.isfinite(toy["balanced"]["received_megabytes"])
