# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Damaged samples are passed over, counted, and end the training if there are too many."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.utils.data import Dataset

from backend.shared.errors import BadDataset, BadImage
from backend.training.datasets.damaged import SkipDamaged
from backend.training.datasets.sample import Sample


def plain_sample(name: str) -> Sample:
    """Two gray views of a square."""
    masks = torch.zeros(2, 4, 6)
    masks[:, 1:3, 1:3] = 1
    lens = torch.tensor([5.0, 5.0, 3.0, 2.0]).expand(2, 4)
    return Sample(name, torch.full((2, 3, 4, 6), 0.5), masks, torch.eye(4).expand(2, 4, 4), lens)


class Numbered(Dataset[Sample]):
    """Samples called by their index; some raise, or hold a damaged tensor."""

    def __init__(self, length: int, broken: dict[int, str]) -> None:
        self.length, self.broken = length, broken

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Sample:
        sample = plain_sample(str(index))
        damage = self.broken.get(index)
        if damage == "unreadable":
            raise BadImage("It is cut short.", "Make it again.")
        if damage is None:
            return sample
        tensor = sample.tensors()[damage].clone()
        tensor[0] = torch.nan
        return replace(sample, **{damage: tensor})


def test_a_damaged_sample_is_replaced_by_the_next_good_one():
    """An unreadable one, one with NaN and one without a camera are three damaged samples."""
    found = SkipDamaged(Numbered(300, {5: "unreadable", 6: "images", 299: "camera_to_world"}))
    assert [found[index].name for index in (4, 5, 6, 299, 5)] == ["4", "7", "7", "0", "7"]
    assert found.damaged == {5, 6, 299}
    assert len(found) == 300


def test_more_than_one_percent_is_an_error():
    """The third of 200 samples is too much, however often the others were met."""
    found = SkipDamaged(Numbered(200, dict.fromkeys((1, 3, 5), "masks")))
    for index in (1, 3, 1, 3):
        assert found[index].name == str(index + 1)
    with pytest.raises(BadDataset, match="3 of 200"):
        found[5]


def test_processes_share_what_is_allowed():
    """Of four that read 400 samples, each may meet one damaged one."""
    found = SkipDamaged(Numbered(400, {1: "images", 2: "images"}), processes=4)
    with pytest.raises(BadDataset, match="2 of 100"):
        found[1]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"masks": torch.zeros(2, 4, 6)}, "no mask"),
        ({"intrinsics": torch.zeros(2, 4)}, "focal length"),
        ({"camera_to_world": 2 * torch.eye(4).expand(2, 4, 4)}, "pose"),
        ({"camera_to_world": torch.eye(4).expand(1, 4, 4)}, "shape"),
        ({"depth": torch.zeros(2, 4, 5)}, "depth has the shape"),
        ({"images": torch.zeros(0, 3, 4, 6)}, "images have the shape"),
    ],
)
def test_what_no_sample_has(change, reason):
    """Each kind of damage is named."""
    with pytest.raises(BadDataset, match=reason):
        replace(plain_sample("one"), **change).check()


def test_chosen_views_keep_their_targets():
    """Views are chosen from all tensors, in the order that is asked for."""
    sample = plain_sample("one")
    sample = replace(sample, depth=torch.arange(2.0)[:, None, None].expand(2, 4, 6))
    chosen = sample.choose([1, 0, 1])
    assert len(chosen) == 3
    assert chosen.depth is not None
    assert chosen.depth[:, 0, 0].tolist() == [1, 0, 1]
    assert chosen.normals is None
