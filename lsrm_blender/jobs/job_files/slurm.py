# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A farm job as a script of SLURM: a job array with one task for each shard."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

from ....backend.shared.exit_codes import RUN_AGAIN
from .description import MERGE_ARGUMENTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .description import FarmJob

MOST_RESTARTS = 20
"""How often a task is queued again; a program that crashes at its start must come to an end."""

USAGE = """\
# Converts {items} assets in {shards} shards. Submit it in one of two ways:
#
#   bash FILE [OPTIONS]      all shards, and the merged report after them
#   sbatch [OPTIONS] FILE    all shards; `convert --merge-report OUT` makes the report later
#
# OPTIONS are those of sbatch, such as --partition, --mem or --cpus-per-task; they replace the ones
# below. All machines must see the program, the assets and the output folder at the same paths.
"""

BODY = """
if [ -z "${SLURM_ARRAY_TASK_ID:-}" ]; then
    job=$(sbatch --parsable "$@" "$0") || exit
    exec sbatch --dependency="afterany:${job%%;*}" --job-name="$name-report" "$@" --wrap "$merge"
fi

"${convert[@]}" --shard "$SLURM_ARRAY_TASK_ID/$shards"
code=$?

# Work is left, or the process was killed: the shard goes back to the queue.
if [ "$code" -eq "$run_again" ] || [ "$code" -gt 130 ]; then
    if [ "${SLURM_RESTART_COUNT:-0}" -lt "$most_restarts" ]; then
        scontrol requeue "$SLURM_JOB_ID"
    fi
fi
exit "$code"
"""


def script(job: FarmJob) -> str:
    """The content of the script, for bash."""
    usage = USAGE.format(items=job.items, shards=job.shards)
    directives = "".join(f"#SBATCH --{text}\n" for text in _directives(job))
    # SLURM shows a task its own cards only, and counts them from 0.
    shown = replace(job, device={0: job.device, 1: "cuda"}.get(job.gpus, "cuda:all"))
    convert = shlex.join((*job.program, *shown.convert_arguments(), "-o", job.output))
    merge = shlex.join((*job.program, *MERGE_ARGUMENTS, job.output))
    variables = (
        f"name={shlex.quote(job.name)}\n"
        f"convert=({convert})\n"
        f"merge={shlex.quote(merge)}\n"
        f"shards={job.shards}\n"
        f"run_again={RUN_AGAIN}\n"
        f"most_restarts={MOST_RESTARTS}\n"
    )
    return f"#!/bin/bash\n{usage}\n{directives}\n{variables}{BODY}"


def _directives(job: FarmJob) -> Iterator[str]:
    """The options of sbatch that stand in the script."""
    yield f"job-name={job.name}"
    yield f"array=1-{job.shards}"
    yield "requeue"
    yield "open-mode=append"
    if job.threads:
        yield f"cpus-per-task={job.threads}"
    if job.gpus:
        yield f"gres=gpu:{job.gpus}"
    if job.time_limit is not None:
        minutes, seconds = divmod(job.time_limit, 60)
        yield f"time={minutes}:{seconds:02}"
