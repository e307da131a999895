# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""`convert --write-job`: the batch of a command line as a job of a farm's scheduler."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import bpy

from ...backend.shared.terminal import say
from ..entry import command_in_blender, command_in_python
from ..jobs.job_files.description import FarmJob, standard_chunk_size
from ..jobs.job_files.writers import write_job_file

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping
    from pathlib import Path


def write_job(
    arguments: argparse.Namespace, options: Mapping[str, Any], items: int
) -> dict[str, Any]:
    """Write the job file that a command line asks for.

    Args:
        arguments: the parsed command line.
        options: of `convert` that every task gets, but for the device: their values by name, paths
            absolute.
        items: how many were found.

    Returns:
        The path of the file, and the numbers of items and shards.

    Raises:
        LsrmError: if the scheduler cannot express the job, or the file cannot be written.
    """
    job = FarmJob(
        program=_this_program(),
        inputs=tuple(os.path.abspath(text) for text in arguments.input),  # noqa: PTH100 - patterns
        output=str(arguments.output.absolute()),
        options=tuple(_as_arguments(options)),
        items=items,
        chunk_size=arguments.chunk_size or standard_chunk_size(items),
        device=arguments.device,
        threads=arguments.threads,
        time_limit=arguments.task_time_limit,
    )
    path: Path = arguments.job_file.absolute()
    write_job_file(arguments.write_job, job, path)
    say(f"{path}: {job.items} items in {job.shards} shards")
    return {"job_file": str(path), "items": job.items, "shards": job.shards}


def _this_program() -> tuple[str, ...]:
    """The command line of the Blender, or of the Python with bpy, that runs this."""
    binary = bpy.app.binary_path
    return tuple(command_in_blender(binary) if binary else command_in_python(sys.executable))


def _as_arguments(options: Mapping[str, Any]) -> Iterator[str]:
    """Options as they stand on a command line; those without a value are left out."""
    for name, value in options.items():
        flag = f"--{name.replace('_', '-')}"
        if value is True:
            yield flag
        elif isinstance(value, list):
            yield from (f"{flag}={each}" for each in value)
        elif isinstance(value, tuple):
            if value:
                yield f"{flag}={','.join(map(str, value))}"
        elif value is not None and value is not False and value != "":
            yield f"{flag}={value}"
