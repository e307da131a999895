# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A farm job as a job template of Open Job Description, schema 2023-09."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ....backend.shared.errors import BadRequest
from .description import MERGE_ARGUMENTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .description import FarmJob

MOST_INPUTS = 40
"""The schema allows 50 parameters."""

LONGEST_VALUE = 1024
SECONDS_TO_STOP = 30
"""Between the request to stop and the end by force: time to note what was interrupted."""


def template(job: FarmJob) -> dict[str, Any]:
    """The content of the template.

    Raises:
        BadRequest: if the schema cannot express the job.
    """
    inputs = {f"Input{number}": path for number, path in enumerate(job.inputs, start=1)}
    names = tuple(f"{{{{Param.{name}}}}}" for name in inputs)
    output, shard = "{{Param.Output}}", "{{Task.Param.Shard}}/{{Param.Shards}}"
    arguments = job.convert_arguments(names)
    options = ("-o", output, "--shard", shard, "--progress", "openjd")
    shards = {"name": "Shard", "type": "INT", "range": "1-{{Param.Shards}}"}
    convert = {
        "name": "Convert",
        "parameterSpace": {"taskParameterDefinitions": [shards]},
        **_host_requirements(job),
        "script": _script(job, (*arguments, *options), job.time_limit),
    }
    merge = {
        "name": "MergeReport",
        "dependencies": [{"dependsOn": "Convert"}],
        "script": _script(job, (*MERGE_ARGUMENTS, output), None),
    }
    return {
        "specificationVersion": "jobtemplate-2023-09",
        "name": job.name,
        "description": f"Converts {job.items} assets in {job.shards} shards.",
        "parameterDefinitions": list(_parameters(job, inputs)),
        "steps": [convert, merge],
    }


def _parameters(job: FarmJob, inputs: dict[str, str]) -> Iterator[dict[str, Any]]:
    """The parameters of the job.

    Paths are of type STRING: the defaults of PATH parameters would have to be relative.
    """
    if len(inputs) > MOST_INPUTS:
        raise BadRequest(
            f"{len(inputs)} inputs are more than the {MOST_INPUTS} of a job template.",
            "Give folders or patterns.",
        )
    yield {
        "name": "Shards",
        "type": "INT",
        "default": job.shards,
        "minValue": 1,
        "description": "The number of parts that the assets are divided into, one for each task.",
    }
    program = {"Program": job.program[0]}
    for name, path in {**program, "Output": job.output, **inputs}.items():
        if len(path) > LONGEST_VALUE:
            raise BadRequest(f"{path} is too long for a job template.", "Give a shorter path.")
        yield {"name": name, "type": "STRING", "default": path}


def _script(job: FarmJob, arguments: tuple[str, ...], timeout: int | None) -> dict[str, Any]:
    """What a task runs.

    Raises:
        BadRequest: if an option would be taken for an expression of the template.
    """
    fixed = (*job.program[1:], *job.options)
    if any("{{" in text or "}}" in text for text in fixed):
        raise BadRequest(
            "A job template cannot hold options with double braces.", "Rename the file or folder."
        )
    action: dict[str, Any] = {
        "command": "{{Param.Program}}",
        "args": [*job.program[1:], *arguments],
        "cancelation": {
            "mode": "NOTIFY_THEN_TERMINATE",
            "notifyPeriodInSeconds": SECONDS_TO_STOP,
        },
    }
    if timeout is not None:
        action["timeout"] = timeout
    return {"actions": {"onRun": action}}


def _host_requirements(job: FarmJob) -> dict[str, Any]:
    """What a machine must have for a task; nothing is said where the options name nothing."""
    amounts = [
        {"name": f"amount.worker.{name}", "min": least}
        for name, least in (("gpu", job.gpus), ("vcpu", job.threads))
        if least
    ]
    return {"hostRequirements": {"amounts": amounts}} if amounts else {}
