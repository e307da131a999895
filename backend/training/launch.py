# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A training on one device, on several of this computer, or as one rank of a launcher's.

Ranks of this computer find each other by a file, on loopback. On several computers torchrun starts
them and gives each the address of the first.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import distributed
from torch.multiprocessing.spawn import start_processes

from ..parallel.rendezvous import joined
from ..shared.progress import Progress
from ..shared.temporary_folder import temporary_folder
from ..workers.workers import LOOPBACK_ONLY
from .run import Run, last_checkpoint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .settings.config import TrainingConfig

PREFIX = "lsrm-training-"
LAUNCHED = "TORCHELASTIC_RUN_ID"
"""A variable that torchrun sets."""


@dataclass(frozen=True)
class Launch:
    """A training, and where to.

    Attributes:
        config: of all phases.
        output: folder of the training.
    """

    config: TrainingConfig
    output: Path

    def on(self, devices: Sequence[torch.device], progress: Progress) -> Path:
        """Train on these devices, one process each; returns the folder of the last checkpoint.

        Args:
            devices: of this computer. A process of torchrun takes the one with its number.
            progress: of a training on one device.

        Raises:
            LsrmError: if data, weights or the folder cannot be used.
        """
        if LAUNCHED in os.environ:
            self._as_launched(devices[0].type)
        elif len(devices) == 1:
            Run(self.config, self.output, devices[0], progress).all_phases()
        else:
            with temporary_folder(Path(tempfile.gettempdir()), PREFIX) as folder:
                os.environ.update(LOOPBACK_ONLY)
                arguments = self, tuple(devices), folder
                start_processes(_rank, arguments, len(devices), start_method="spawn")
        return last_checkpoint(self.config, self.output)

    def _as_launched(self, kind: str) -> None:
        """Train as the rank that a launcher has made of this process."""
        device = torch.device(kind)
        if kind == "cuda":
            device = torch.device(kind, int(os.environ["LOCAL_RANK"]))
            torch.cuda.set_device(device)
        distributed.init_process_group("nccl" if kind == "cuda" else "gloo")
        Run(self.config, self.output, device, Progress()).all_phases()
        distributed.destroy_process_group()


def _rank(rank: int, launch: Launch, devices: tuple[torch.device, ...], folder: Path) -> None:
    """One of the processes of a training."""
    with joined(folder, rank, len(devices), devices[rank]):
        Run(launch.config, launch.output, devices[rank], Progress()).all_phases()
