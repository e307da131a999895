# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Damaged samples are passed over and counted; too many of them end the training."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from torch.utils.data import Dataset, get_worker_info

from ...shared.errors import BadCamera, BadCapture, BadDataset, BadImage, EmptyMask
from .sample import Sample

if TYPE_CHECKING:
    from collections.abc import Sized

LOGGER = logging.getLogger(__name__)

LARGEST_SHARE = 0.01
"""Of the samples that may be damaged."""

DAMAGES = (BadCamera, BadCapture, BadDataset, BadImage, EmptyMask)


class SkipDamaged(Dataset[Sample]):
    """A data set without its damaged samples: the next good one stands in for each of them.

    Every process counts the damaged samples that it meets. With several, each reads a part of the
    data set, so that each may meet as large a share of its own part.

    Args:
        dataset: of samples, with a length.
        processes: that read the data set, without the workers of a `DataLoader`: ranks.

    Attributes:
        damaged: indices of the damaged samples that were met.
    """

    def __init__(self, dataset: Dataset[Sample], processes: int = 1) -> None:
        self._dataset = dataset
        self._length = _length(dataset)
        self._processes = processes
        self.damaged: set[int] = set()

    def __len__(self) -> int:
        """The number of samples, damaged ones included."""
        return self._length

    def __getitem__(self, index: int) -> Sample:
        """The sample at an index, or the next one that is not damaged.

        Raises:
            BadDataset: if more than `LARGEST_SHARE` of the samples are damaged.
        """
        for offset in range(self._length):
            number = (index + offset) % self._length
            if number in self.damaged:
                continue
            try:
                return self._dataset[number].check()
            except DAMAGES as error:
                self._count(number, error)
        raise IndexError(index)

    def _count(self, number: int, error: Exception) -> None:
        """Remember a damaged sample.

        Raises:
            BadDataset: if there are too many.
        """
        self.damaged.add(number)
        LOGGER.warning("Sample %d is passed over: %s", number, error)
        worker = get_worker_info()
        parts = self._processes * (worker.num_workers if worker is not None else 1)
        if len(self.damaged) > LARGEST_SHARE * self._length / parts:
            raise BadDataset(
                f"{len(self.damaged)} of {self._length // parts} samples are damaged, the last one "
                f"as follows. {error}",
                "Check the disk and the data set; make the damaged samples again.",
            ) from error


def _length(dataset: Dataset[Sample]) -> int:
    sized: Sized = dataset  # type: ignore[assignment]  # torch leaves the length to subclasses
    return len(sized)
