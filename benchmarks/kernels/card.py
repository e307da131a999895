# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a GPU can do at most: its rates, measured in the run that they judge, and its clock then."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import threading
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import torch

from .machines import MACHINES

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    Seconds = Callable[[Callable[[], object]], float]
    ReadClock = Callable[[], float | None]

_EXPONENTIALS = 16  # per clock and multiprocessor, from Ampere to Hopper
_MATRIX, _COPIED = 8192, 1 << 30  # a side of what is multiplied; bytes
_INTERVAL, _PATIENCE = 0.1, 5.0  # seconds between two readings, and for one


@dataclass(frozen=True)
class Work:
    """What a call has to do at least.

    Attributes:
        exponentials: one per query head and pair of a query and a key.
        flops: of its products.
        cache_bytes: keys and values, counted each time a tile reads them; None if that is unknown.
        memory_bytes: everything that is read and written, counted once.
    """

    exponentials: int = 0
    flops: float = 0.0
    cache_bytes: float | None = None
    memory_bytes: float = 0.0


@dataclass(frozen=True)
class Card:
    """The rates of a GPU.

    Attributes:
        processors: multiprocessors.
        gigahertz: clock while its products were measured.
        products_per_clock: operations of a large bfloat16 product of matrices, measured.
        memory_bytes: per second of a large copy, read and written, measured.
        cache_bytes: that L2 gives a multiprocessor per clock, as stated in `machines`; None for a
            card that is not there.
    """

    processors: int
    gigahertz: float
    products_per_clock: float
    memory_bytes: float
    cache_bytes: float | None

    @classmethod
    def measured(cls, seconds: Seconds, clocks: ClockLog) -> Card:
        """The present GPU.

        Args:
            seconds: that a call takes, by the clock of the GPU.
            clocks: of the run.
        """
        from triton.runtime import driver

        stated = driver.active.utils.get_device_properties(torch.cuda.current_device())
        sides = [
            torch.randn(_MATRIX, _MATRIX, device="cuda", dtype=torch.bfloat16) for _ in range(2)
        ]
        begin = time.perf_counter()
        product = seconds(partial(torch.matmul, *sides))
        measured = clocks.between(begin, time.perf_counter())
        gigahertz = measured or stated["sm_clock_rate"] / 1e6  # given in kHz
        source, target = (torch.empty(_COPIED, dtype=torch.uint8, device="cuda") for _ in range(2))
        copy = seconds(partial(target.copy_, source))
        major, minor = torch.cuda.get_device_capability()
        machine = MACHINES.get(10 * major + minor)
        return cls(
            stated["multiprocessor_count"],
            gigahertz,
            2 * _MATRIX**3 / product / (gigahertz * 1e9),
            2 * _COPIED / copy,
            machine.cache_bytes if machine else None,
        )

    def bounds(self, work: Work, gigahertz: float | None = None) -> dict[str, float]:
        """The least milliseconds of some work, by what bounds it: the largest one counts.

        Args:
            work: to do.
            gigahertz: the clock meanwhile; None takes that of the products.
        """
        clocks = (gigahertz or self.gigahertz) * 1e9
        found = {
            "exponents": work.exponentials / (_EXPONENTIALS * self.processors * clocks),
            "products": work.flops / (self.products_per_clock * clocks),
            "memory": work.memory_bytes / self.memory_bytes,
        }
        if self.cache_bytes and work.cache_bytes is not None:
            found["L2"] = work.cache_bytes / (self.cache_bytes * self.processors * clocks)
        return {unit: 1000 * seconds for unit, seconds in found.items()}


class ClockLog:
    """The clock of a GPU's multiprocessors, read ten times a second while the log is open."""

    def __init__(self, read: ReadClock) -> None:
        """With a way to read the clock in GHz, which is None where nothing tells it."""
        self._read, self._found = read, list[tuple[float, float]]()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def between(self, begin: float, end: float) -> float | None:
        """The median of the clocks that were read then, in GHz; None if none was.

        Args:
            begin: by `time.perf_counter`.
            end: likewise.
        """
        found = [clock for moment, clock in self._found if begin <= moment <= end]
        return statistics.median(found) if found else None

    def _run(self) -> None:
        while not self._ended.is_set():
            clock = self._read()
            if clock is None:
                return
            self._found.append((time.perf_counter(), clock))
            self._ended.wait(_INTERVAL)


def read_clock() -> float | None:
    """The present clock of the first GPU's multiprocessors in GHz, by NVIDIA's own program."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    command = [
        program,
        f"--id=GPU-{torch.cuda.get_device_properties(0).uuid}",
        "--query-gpu=clocks.sm",
        "--format=csv,noheader,nounits",
    ]
    try:
        found = subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=_PATIENCE
        )
        return float(found.stdout) / 1000
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
