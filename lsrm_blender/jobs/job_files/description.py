# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one description of a farm job, which all job files are written from."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ....backend.shared.errors import BadRequest

MOST_SHARDS = 1000
"""Tasks that every scheduler accepts in one job: SLURM's arrays have 1,001 at most by default."""

STANDARD_CHUNK_SIZE = 10
"""Enough items that starting Blender and the backend does not count."""

UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
NOT_IN_NAMES = re.compile(r"[^\w.-]")
CUDA = re.compile(r"cuda(?::(all|\d+(?:,\d+)*))?")
LONGEST_NAME = 60


@dataclass(frozen=True)
class FarmJob:
    """A batch as a farm runs it.

    Its tasks are shards. Each is one process, whose backend stays warm from item to item. A task
    whose process is killed or has work left is run again; the output folder says what is done. A
    last task merges the reports. All paths are absolute, and the same on all machines.

    Attributes:
        program: the program that runs LSRM's commands, and its first arguments.
        inputs: files, folders and patterns.
        output: the folder that all machines share.
        options: the other arguments of `convert`, for every task.
        items: how many were found in the inputs.
        chunk_size: items of a shard, on average.
        device: of the reconstruction.
        threads: of a process, as in the options; 0 takes all that there are.
        time_limit: of a task, in seconds; None leaves it to the farm.

    Raises:
        BadRequest: if a name has characters that not every scheduler accepts, or if there are too
            many shards.
    """

    program: tuple[str, ...]
    inputs: tuple[str, ...]
    output: str
    options: tuple[str, ...] = ()
    items: int = 1
    chunk_size: int = 1
    device: str = "auto"
    threads: int = 0
    time_limit: int | None = None

    def __post_init__(self) -> None:
        for text in (*self.program, *self.inputs, self.output, *self.options):
            if UNPRINTABLE.search(text):
                raise BadRequest(
                    f"{text!r} has a character that not every farm accepts.",
                    "Rename the file or folder.",
                )
        if self.shards > MOST_SHARDS:
            raise BadRequest(
                f"{self.shards} shards are more than the {MOST_SHARDS} that a job may have.",
                f"Give a --chunk-size of at least {least_chunk_size(self.items)}.",
            )

    @property
    def name(self) -> str:
        """Of the job: without spaces and what schedulers interpret."""
        folder = self.output.replace("\\", "/").rstrip("/").rpartition("/")[2]
        return f"LSRM-{NOT_IN_NAMES.sub('_', folder)[:LONGEST_NAME]}"

    @property
    def shards(self) -> int:
        """The number of shards."""
        return max(1, -(-self.items // self.chunk_size))

    @property
    def gpus(self) -> int:
        """The number of graphics cards of a task; for `cuda:all` the least, 1."""
        found = CUDA.fullmatch(self.device)
        return 0 if found is None else len((found[1] or "0").split(","))

    def convert_arguments(self, inputs: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """The arguments of a task, but for its output and shard.

        Failed items do not fail a task, which would be run again, but the merged report.

        Args:
            inputs: what the scheduler replaces by the inputs; by default the inputs themselves.
        """
        options = (*self.options, f"--device={self.device}", "--exit-zero")
        return ("convert", *(inputs or self.inputs), *options)


MERGE_ARGUMENTS = ("convert", "--merge-report")
"""The arguments of the last task, but for the output."""


def standard_chunk_size(items: int) -> int:
    """The number of items of a shard where the user names none."""
    return max(STANDARD_CHUNK_SIZE, least_chunk_size(items))


def least_chunk_size(items: int) -> int:
    """The number of items of a shard with which there are not too many shards."""
    return max(1, -(-items // MOST_SHARDS))
