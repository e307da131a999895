# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sparse stage on the devices of a job: in this process on one, in worker processes on several.

The dense stage, of few tokens, runs on the first device.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from ..model.inference import (
    encoder_inputs,
    predict_sparse,
    refined_field,
    report_after_features,
)
from ..model.stage import SparseBatch, SparseResult
from ..shared.errors import write_failure
from ..shared.temporary_folder import remove_abandoned, temporary_folder
from .stage_files import read_rows, write_batch
from .worker import SPARSE_STAGE
from .workers import Workers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ..field.field import TwoLevelField
    from ..model.config.model_config import StageConfig
    from ..model.inference import ImageFeatures, SparseStageInputs
    from ..model.preprocess import ViewTensors
    from ..model.weights.checkpoint import Checkpoint

PREFIX = "lsrm-ranks-"
"""Of the folders in which workers and their parent exchange files."""


@dataclass(frozen=True)
class OneRank:
    """This process.

    Attributes:
        device: it computes on.
        dtype: of the weights and streams.
    """

    device: torch.device
    dtype: torch.dtype

    def predict_sparse(
        self,
        checkpoint: Checkpoint,
        views: ViewTensors,
        inputs: SparseStageInputs,
        features: ImageFeatures | None,
        report: Callable[[float], None],
    ) -> TwoLevelField:
        """Load the weights of the sparse stage and run it, see `inference.predict_sparse`."""
        stage = checkpoint.load_stage("sparse", self.device, self.dtype)
        return predict_sparse(stage, views, inputs, features, report)


@dataclass(frozen=True)
class WorkerRanks:
    """One worker process per device; this one prepares their work and reads their result.

    Attributes:
        devices: of the workers.
        dtype: of the weights and streams.
        in_turn: whether they attend to each other one after the other.
        folder: private to the job.
    """

    devices: Sequence[torch.device]
    dtype: torch.dtype
    in_turn: bool
    folder: Path

    def predict_sparse(
        self,
        checkpoint: Checkpoint,
        views: ViewTensors,
        inputs: SparseStageInputs,
        features: ImageFeatures | None,
        report: Callable[[float], None],
    ) -> TwoLevelField:
        """Give the stage to the workers, each of which loads the weights once.

        Raises:
            LsrmError: that of a worker; BackendDied if one ends or hangs.
            DiskFull, OutputNotWritable: if the folder cannot be written.
        """
        config, tokens = checkpoint.config.sparse, inputs.selection.tokens
        self._write_batch(config, views, inputs, features, report)
        params = {
            "checkpoint": str(checkpoint.folder),
            "dtype": str(self.dtype).partition(".")[2],
            "in_turn": self.in_turn,
            "alike": len({_model_of(device) for device in self.devices}) == 1,
        }
        with Workers([str(device) for device in self.devices], self.folder) as workers:
            workers.run(SPARSE_STAGE, params, report_after_features(config, report))
        rows = read_rows(self.folder, self.devices[0])
        found = SparseResult.from_rows(rows, tokens, config)
        decoder = checkpoint.load_decoder("sparse", self.devices[0])
        return refined_field(inputs.coarse, found, decoder, config)

    @torch.no_grad()
    def _write_batch(
        self,
        config: StageConfig,
        views: ViewTensors,
        inputs: SparseStageInputs,
        features: ImageFeatures | None,
        report: Callable[[float], None],
    ) -> None:
        """Write what the workers read, and free what this process no longer needs on their device.

        Raises:
            DiskFull: if it does not fit into the folder.
            OutputNotWritable: if the folder cannot be written for another reason.
        """
        selection = inputs.selection
        like = torch.empty(0, device=self.devices[0], dtype=self.dtype)
        read = encoder_inputs(config, views, features, like, selection.views, report)
        batch = SparseBatch(read, selection.tokens, inputs.plan, selection.dense_features)
        write_batch(self.folder, batch)
        del read, batch
        if like.is_cuda:
            torch.cuda.empty_cache()


Ranks = OneRank | WorkerRanks
"""The processes that compute the sparse stage of one object."""


def _model_of(device: torch.device) -> str:
    """The name of a card; processors of one computer are alike."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


@contextmanager
def ranks_on(
    devices: Sequence[torch.device], dtype: torch.dtype, *, in_turn: bool = False
) -> Iterator[Ranks]:
    """The ranks of a job; nothing of them is left behind the `with` statement.

    Raises:
        OutputNotWritable: if there are several and no temporary folder can be made for their files.
        DiskFull: if the disk of that folder is full.
    """
    if len(devices) == 1:
        yield OneRank(devices[0], dtype)
        return
    with ExitStack() as stack:
        try:
            parent = Path(tempfile.gettempdir())
            remove_abandoned(parent, PREFIX)
            folder = stack.enter_context(temporary_folder(parent, PREFIX))
        except OSError as error:
            raise write_failure(Path(tempfile.tempdir or "TMPDIR"), error) from error
        yield WorkerRanks(devices, dtype, in_turn, folder)
