# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The estimate of memory that is made before a job allocates anything."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from backend.model.config.presets import preset
from backend.model.weights.memory import estimate, expected_volume_tokens, plan_memory
from backend.shared.errors import OutOfMemory


def _views(size: int, count: int = 16, covered: float = 0.64) -> torch.Tensor:
    side = round(size * covered**0.5)
    mask = torch.zeros(count, 1, size, size)
    mask[:, :, :side, :side] = 1
    return mask


def test_the_released_sizes_need_what_the_paper_says() -> None:
    """About 100K image and 300K volume tokens, and less than 24 GB in bfloat16."""
    need = estimate(preset("lsrm-rgb"), _views(768), torch.bfloat16)
    assert 90_000 < need.image_tokens < 110_000
    assert 250_000 < need.volume_tokens < 330_000
    assert need.stages["sparse stage"] == need.peak < 24e9
    need.check([24_000_000_000], ["cuda:0"])


def test_memory_grows_with_views_and_precision() -> None:
    """More views and wider numbers need more; the volume is bounded by its grid."""
    config = preset("lsrm-rgb")
    few, many = (estimate(config, _views(768, n), torch.bfloat16).peak for n in (8, 16))
    assert few < many < estimate(config, _views(768), torch.float32).peak
    wide = dataclasses.replace(config.selection, volume_dilation=90)
    assert expected_volume_tokens(dataclasses.replace(config, selection=wide)) == 96**3


def test_too_little_memory_is_an_error_with_numbers() -> None:
    """The error names the stage, what it needs, what there is, and what would fit."""
    need = estimate(preset("lsrm-rgb"), _views(768), torch.bfloat16)
    with pytest.raises(OutOfMemory, match=r"sparse stage.*\d GB.*cuda:0 has 8\.0 GB.*--checkpoint"):
        need.check([8_000_000_000], ["cuda:0"])


def test_ranks_share_the_streams() -> None:
    """More ranks need less each; the first one also holds what is whole, the dense stage is its."""
    config, views = preset("lsrm-rgb"), _views(768)
    alone, two, eight = (estimate(config, views, torch.bfloat16, ranks=n) for n in (1, 2, 8))
    assert alone.other_ranks == 0
    assert alone.peak > two.peak > eight.peak
    assert two.stages["sparse stage"] > two.other_ranks > eight.other_ranks
    assert alone.stages["dense stage"] == eight.stages["dense stage"]


def test_keys_are_gathered_in_turn_only_where_all_do_not_fit() -> None:
    """The planner takes the least memory that is needed."""
    config, views = preset("lsrm-rgb"), _views(768)
    at_once = estimate(config, views, torch.bfloat16, ranks=8)
    in_turn = estimate(config, views, torch.bfloat16, ranks=8, in_turn=True)
    assert in_turn.other_ranks < at_once.other_ranks
    assert in_turn.peak < at_once.peak

    def planned(first: int, others: int) -> bool:
        available = [first] + [others] * 7
        return plan_memory(config, views, torch.bfloat16, 0, available).in_turn

    assert not planned(at_once.peak, at_once.other_ranks)
    assert planned(at_once.peak, at_once.other_ranks - 1)
    assert planned(at_once.peak - 1, at_once.other_ranks)
    assert not plan_memory(config, views, torch.bfloat16, 0, [1]).in_turn


def test_the_rank_without_room_is_named() -> None:
    """Each rank is compared with its own device."""
    need = estimate(preset("lsrm-rgb"), _views(768), torch.bfloat16, ranks=2)
    with pytest.raises(OutOfMemory, match=r"cuda:1 has 1\.0 GB"):
        need.check([80_000_000_000, 1_000_000_000], ["cuda:0", "cuda:1"])
