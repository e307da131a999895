# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A farm job as a job type of Flamenco, in its JavaScript."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from .description import MERGE_ARGUMENTS

if TYPE_CHECKING:
    from .description import FarmJob

HEAD = """\
// A job type of Flamenco that converts {items} assets. Put this file into the folder `scripts`
// beside Flamenco Manager and start the Manager again. All machines must see the program, the
// assets and the output folder at the same paths, or by the two-way variables of Flamenco.
//
// A task that fails is run again by Flamenco, elsewhere: work is left then (exit code 4), or its
// process was killed. Assets that cannot be converted do not fail a task, but the last one, which
// lists them.
"use strict";
"""

BODY = """
const JOB_TYPE = {
    label: JOB.name,
    description: "Converts " + JOB.items + " assets to meshes with LSRM",
    settings: [
        {
            key: "chunk_size", type: "int32", required: true, default: JOB.chunkSize,
            propargs: { min: 1 },
            description: "Assets of a task, on average; its process stays warm for all of them",
        },
        {
            key: "program", type: "string", subtype: "file_path", required: true,
            default: JOB.program, description: "Blender, or a Python that has bpy",
        },
        {
            key: "output", type: "string", subtype: "dir_path", required: true,
            default: JOB.output, description: "The folder of the results, shared by all machines",
        },
    ],
};

function compileJob(job) {
    const settings = job.settings;
    const shards = Math.max(1, Math.ceil(JOB.items / settings.chunk_size));
    const report = lsrmTask("merge-report", settings, JOB.merge.concat([settings.output]));
    for (let shard = 1; shard <= shards; shard++) {
        const part = ["-o", settings.output, "--shard", shard + "/" + shards];
        const task = lsrmTask(
            "convert-" + shard + "-of-" + shards, settings, JOB.convert.concat(part));
        job.addTask(task);
        report.addDependency(task);
    }
    job.addTask(report);
}

function lsrmTask(name, settings, args) {
    const task = author.Task(name, "misc");
    task.addCommand(author.Command("exec", { exe: settings.program, args: args }));
    return task;
}
"""


def job_type(job: FarmJob) -> str:
    """The content of the script."""
    fixed = {
        "name": job.name,
        "items": job.items,
        "chunkSize": job.chunk_size,
        "program": job.program[0],
        "output": job.output,
        "convert": [*job.program[1:], *job.convert_arguments()],
        "merge": [*job.program[1:], *MERGE_ARGUMENTS],
    }
    return f"{HEAD.format(items=job.items)}\nconst JOB = {json.dumps(fixed, indent=4)};\n{BODY}"
