# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""How ranks find each other: by a file in a private folder, so that no port is agreed on.

Their sockets exist while they are joined, on the interface that environment variables name, see
`LOOPBACK_ONLY` in `backend/workers/workers.py`.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import torch
from torch import distributed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STORE = "rendezvous"
"""The file by which ranks find each other."""

TIMEOUT = timedelta(minutes=30)
"""For one collective; what hangs is noticed sooner by the parent of the workers."""


@contextmanager
def joined(folder: Path, rank: int, ranks: int, device: torch.device) -> Iterator[None]:
    """Join the other ranks for the time of the body, as torch's default process group.

    Args:
        folder: the same for all ranks, used once.
        rank: of this process.
        ranks: their number.
        device: of this process: NCCL connects GPUs, gloo CPUs.
    """
    on_gpu = device.type == "cuda"
    if on_gpu:
        torch.cuda.set_device(device)
    distributed.init_process_group(
        "nccl" if on_gpu else "gloo",
        store=distributed.FileStore(str(folder / STORE), ranks),  # type: ignore[attr-defined]
        rank=rank,
        world_size=ranks,
        timeout=TIMEOUT,
        device_id=device if on_gpu else None,
    )
    yield
    distributed.destroy_process_group()  # not after an error: it could wait for the other ranks
