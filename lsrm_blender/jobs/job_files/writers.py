# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the job file of a scheduler."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ....backend.shared.atomic_folder import write_file_atomically
from ....backend.shared.errors import write_failure
from . import flamenco, openjd, slurm

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from .description import FarmJob


def _openjd_json(job: FarmJob) -> str:
    return json.dumps(openjd.template(job), indent=2, ensure_ascii=False) + "\n"


WRITERS: Mapping[str, Callable[[FarmJob], str]] = {
    "openjd": _openjd_json,
    "slurm": slurm.script,
    "flamenco": flamenco.job_type,
}
"""The content of a job file, by the name of the scheduler."""


def write_job_file(scheduler: str, job: FarmJob, path: Path) -> None:
    """Write a farm job for a scheduler: `openjd`, `slurm` or `flamenco`.

    Raises:
        BadRequest: if the scheduler cannot express the job.
        OutputNotWritable, DiskFull: if the file cannot be written.
    """
    text = WRITERS[scheduler](job)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file_atomically(path, text.encode("utf-8"))
    except OSError as error:
        raise write_failure(path, error) from error
