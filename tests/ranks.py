# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Functions on several ranks: processes of gloo on this machine, joined by a file."""

from __future__ import annotations

import faulthandler
import multiprocessing
import multiprocessing.connection
import os
import time
import traceback
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# The server imports these once, and every rank is a fork of it.
PRELOADED = [
    "torch.distributed",
    "torch.fx.experimental.symbolic_shapes",  # the first backward imports it
    "pytest",
    "backend.model.stage",
]
LONGEST = 1800
"""Seconds after which a rank ends in any case."""
START = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"


def on_ranks(
    count: int,
    folder: Path,
    function: Callable[..., Any],
    *arguments: Any,
    seconds: float = 240.0,
    **named: Any,
) -> list[Any]:
    """Call function(..., group) on so many ranks, and return what each returns.

    Args:
        count: of ranks.
        folder: for the file store.
        function: of a module, so that other processes can import it.
        arguments: of the function, in front of the group; they and the results are pickled.
        seconds: after which the ranks are killed and the test fails.
        named: further arguments.
    """
    context = multiprocessing.get_context(START)
    if START == "forkserver":
        context.set_forkserver_preload(PRELOADED)
    pipes, processes = [], []
    store = folder / f"store-{time.monotonic_ns()}"
    try:
        for rank in range(count):
            here, there = context.Pipe(duplex=False)
            call = partial(function, *arguments, **named)
            target = partial(_rank, rank, count, str(store), there, call)
            process = context.Process(target=target, daemon=True)
            process.start()
            there.close()
            pipes.append(here)
            processes.append(process)
        return _answers(pipes, time.monotonic() + seconds)
    finally:
        for process in processes:
            process.kill()
            process.join()


def _answers(pipes: list[Any], end: float) -> list[Any]:
    """The result of every rank; the first error of any fails the test."""
    found: dict[int, Any] = {}
    while len(found) < len(pipes):
        waiting = [pipe for rank, pipe in enumerate(pipes) if rank not in found]
        ready = multiprocessing.connection.wait(waiting, max(0.0, end - time.monotonic()))
        assert ready, f"ranks {sorted(set(range(len(pipes))) - set(found))} did not answer in time"
        for pipe in ready:
            rank = pipes.index(pipe)
            try:
                error, found[rank] = pipe.recv()
            except EOFError:
                error = "it died without an answer"
            assert not error, f"rank {rank}: {error}"
    return [found[rank] for rank in range(len(pipes))]


def _rank(rank: int, count: int, store: str, pipe: Any, call: Callable[..., Any]) -> None:
    faulthandler.dump_traceback_later(LONGEST, exit=True)  # the test itself may have been killed
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"  # sockets of this machine only
    import torch
    import torch.distributed as dist

    from backend.parallel.group import Group

    torch.set_num_threads(1)
    try:
        dist.init_process_group(
            "gloo", store=dist.FileStore(store, count), rank=rank, world_size=count
        )
        pipe.send(("", call(Group.of_process())))
        dist.barrier()  # a rank that ends early closes what others still read
    except BaseException:  # noqa: BLE001 - the test shows whatever it was
        pipe.send((traceback.format_exc(), None))
