# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program of a worker: `python -m backend.workers.worker FOLDER RANK RANKS DEVICE`.

It serves its parent like the backend serves Blender: requests on stdin, answers on stdout. It ends
when its parent does.
"""

from __future__ import annotations

import signal
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..shared.rpc.server import Pipe, Server

if TYPE_CHECKING:
    from ..shared.progress import Progress

SPARSE_STAGE = "sparse_stage"


def main(arguments: list[str]) -> int:
    """Serve the parent until it closes the pipe; returns the exit code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C in the terminal is for the parent
    folder, rank, ranks, device = arguments
    stage = partial(sparse_stage, Path(folder), int(rank), int(ranks), device)
    return Server(Pipe.take_standard_streams(), {SPARSE_STAGE: stage}).serve()


def sparse_stage(
    folder: Path,
    rank: int,
    ranks: int,
    device_name: str,
    params: dict[str, Any],
    progress: Progress,
) -> None:
    """Compute the share of this rank; the first one has the object, and writes its rows.

    Args:
        folder: private to the job, with the work.
        rank: of this process.
        ranks: their number.
        device_name: of this process.
        params: `checkpoint`, its folder; `dtype`, of the weights; `in_turn`, see `Group`; `alike`,
            whether all devices are of one model.
        progress: receives the fraction.
    """
    import torch

    from ..model.stage import SparseBatch, run_sparse
    from ..model.weights.checkpoint import open_checkpoint
    from ..parallel.group import Group
    from ..parallel.rendezvous import joined
    from ..parallel.speed import rank_speeds
    from .stage_files import read_batch, write_rows

    device, dtype = torch.device(device_name), getattr(torch, params["dtype"])
    with joined(folder, rank, ranks, device), torch.no_grad():
        speeds = () if params["alike"] else rank_speeds(device, dtype, ranks)
        group = replace(Group.of_process(), speeds=speeds, in_turn=params["in_turn"])
        checkpoint = open_checkpoint(params["checkpoint"])
        stage = checkpoint.load_stage("sparse", device, dtype)
        if rank == 0:
            batch = read_batch(folder, checkpoint.config, device)
        else:
            batch = SparseBatch.empty(checkpoint.config, stage.encoder.patches.weight)
        found = run_sparse(stage, batch, group, partial(progress.report, "sparse stage"))
        if rank == 0:
            write_rows(folder, found.rows)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
