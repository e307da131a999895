# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The dry run: counts against what PyTorch counts, the paper's sizes, and what a report says."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from backend.model.encoder import EncoderInputs
from backend.model.stage import Stage, run_dense
from backend.training.dry_run.estimate import Machine, estimate, parameter_count
from backend.training.dry_run.report import as_json, as_text, dry_run
from backend.training.dry_run.tokens import dense_tokens, sparse_tokens, tokens_of
from backend.training.dry_run.work import object_work, stage_work
from backend.training.settings.config import read_config
from tests.training_samples import DENSE, SPARSE, tiny_training

GIGABYTE = 1e9


@pytest.fixture(scope="module")
def paper():
    return read_config("paper")


@pytest.fixture(scope="module")
def found(paper):
    return {each.name: each for each in dry_run(paper)}


def test_products_of_the_dense_stage_are_those_that_torch_counts():
    """Linear maps and attention, without the decoders."""
    model = tiny_training().model_of(DENSE)
    stage, size = Stage(model.dense), model.dense.image_size
    inputs = EncoderInputs(torch.zeros(1, 3, 3, size, size), torch.zeros(1, 3, 6, size, size))
    plain = sdpa_kernel(SDPBackend.MATH)  # of the fused ones on a CPU nothing is counted
    with torch.no_grad(), plain, FlopCounterMode(display=False) as counter:
        run_dense(stage, inputs)
    counted = counter.get_total_flops() / 2
    assert stage_work(model.dense, dense_tokens(model, 3)).total == pytest.approx(counted, rel=0.01)


def test_tokens_of_the_paper(paper, found):
    """Those that it names as its peak: 100,000 and 300,000; 4,096 and 16,384 of the dense stage."""
    dense, sparse = found["dense"].tokens, found["sparse_96"].tokens
    assert (dense.image, dense.volume) == (16 * 32**2, 16**3)
    assert sparse.image == pytest.approx(100_000, rel=0.02)
    assert sparse.volume == pytest.approx(300_000, rel=0.1)
    model = paper.model_of(paper.phases[1])
    assert sparse_tokens(model, 16).volume < sparse.volume / 3


def test_parameters_are_those_of_the_released_stages(found):
    """About 655 and 1,071 million."""
    assert found["dense"].parameters == pytest.approx(655e6, rel=0.02)
    assert found["sparse_96"].parameters == pytest.approx(1071e6, rel=0.02)


def test_every_phase_of_the_paper_fits_on_its_gpus(found):
    """80 GB each, with shared sequences in the last phase."""
    for each in found.values():
        assert 5 * GIGABYTE < each.memory.total < Machine().memory, each.name


def test_sharing_sequences_saves_nothing_but_waiting(paper):
    """A rank holds as many tokens of its own objects; keys of others come on top."""
    phase = paper.phases[2]
    model = paper.model_of(phase)
    alone = estimate(model, replace(phase, sequence_ranks=1), 128, Machine())
    shared = estimate(model, phase, 128, Machine())
    assert alone.traffic.sequence == 0
    assert shared.memory.total > alone.memory.total


def test_checkpointing_is_a_third_more_work_and_less_memory(paper):
    """One more forward of the stage that is trained."""
    phase = paper.phases[0]
    model = paper.model_of(phase)
    kept = estimate(model, replace(phase, checkpointing=False), 128, Machine())
    again = estimate(model, phase, 128, Machine())
    assert kept.memory.total > 2 * again.memory.total
    work = object_work(model, phase)
    extra = work.step(checkpointing=True).total - work.step(checkpointing=False).total
    assert extra == pytest.approx(work.trained.total)


def test_more_gpus_hold_smaller_shards(paper):
    """Of weights, gradients and moments; a step has more objects."""
    phase, model = paper.phases[0], paper.model_of(paper.phases[0])
    few, many = (estimate(model, phase, gpus, Machine()) for gpus in (8, 128))
    assert few.memory.weights > 2 * many.memory.weights
    assert (few.objects, many.objects) == (32, 512)


def test_the_report_compares_with_the_published_days(paper, found):
    """For the phases that the paper names, on its 128 GPUs, marked as modelled."""
    text = as_text(paper, list(found.values()), 128)
    assert text.count("published   ") == 3
    assert "nothing of this was measured" in text
    document = as_json(paper, list(found.values()), 128)
    assert document["kind"] == "modelled"
    assert document["phases"]["sparse_48"]["published_days"] == 7
    assert document["phases"]["materials_48"]["published_days"] is None
    eight = as_text(paper, dry_run(paper, 8), 8)
    assert "published   " not in eight


def test_days_follow_from_steps(paper):
    """Twice as many take twice as long; materials take half of novel views."""
    found = {each.name: each for each in dry_run(paper)}
    assert found["materials_96"].days == pytest.approx(found["sparse_96"].days / 2, rel=0.05)


def test_gpus_must_suit_the_shared_sequences(paper):
    """Eight ranks share one; twelve GPUs are no multiple."""
    with pytest.raises(ValueError, match="12 GPUs cannot share sequences by 8"):
        dry_run(paper, 12)


def test_any_configuration_has_an_estimate():
    """Of sizes that nobody publishes, too."""
    config = tiny_training(DENSE, SPARSE)
    for each, phase in zip(dry_run(config, 1), config.phases, strict=True):
        assert each.parameters == parameter_count(getattr(config.model_of(phase), phase.stage))
        assert each.tokens == tokens_of(config.model_of(phase), phase)
        assert each.days > 0
