# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `convert`: many assets to results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

from ...backend.shared.checkpoint_folders import NAMED_CHECKPOINTS, NONE, meant_checkpoint
from ...backend.shared.errors import write_failure
from ...backend.shared.exit_codes import USAGE
from ...backend.shared.lods.face_targets import face_params
from ...backend.shared.terminal import say
from .. import child_commands, preferences
from ..jobs.backend_client import Client
from ..jobs.batch.batch import Batch
from ..jobs.batch.conversion import Children
from ..jobs.batch.items import Item, NoSuchInput, find_items
from ..jobs.batch.log import BatchLog
from ..jobs.batch.merged_report import merge_report, report_lines
from ..jobs.batch.products import Products
from ..jobs.batch.settings import BatchSettings
from ..jobs.child_watchdog import BLENDER_FIRST_MESSAGE, TimeLimits
from ..jobs.farm.plans import PlannedItem, write_plan
from ..jobs.farm.run_records import LOG
from ..jobs.farm.runs import Run
from ..scene.assets.asset_import import SUFFIXES
from ..scene.lighting import EnvironmentLight, make_world
from ..scene.scene_state import no_trace
from .job_file import write_job

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from ...backend.shared.progress import Progress
    from ..jobs.child_process import ChildCommand

CAPTURE_OPTIONS = ("views", "placement", "size", "samples", "seed", "threads", "environment")
RECONSTRUCT_OPTIONS = ("checkpoint", "refine", "device", "texture_size", "material")
TASK_OPTIONS = (
    *CAPTURE_OPTIONS,
    *RECONSTRUCT_OPTIONS,
    "faces",
    "formats",
    "relight",
    "quads",
    "retries",
    "retry_failed",
    "time_limit",
    "backend_python",
)
"""What a farm job hands to its tasks."""


def convert_all(arguments: argparse.Namespace, progress: Progress) -> dict[str, Any]:
    """Run the batch that a command line describes; returns its summary.

    With `--write-job` it writes the batch as a job instead; with `--merge-report` it returns the
    report of all batches in an output folder.
    """
    if arguments.merge_report is not None:
        return _merge(arguments.merge_report.absolute())
    output: Path = arguments.output.absolute()
    try:
        items = find_items(arguments.input, SUFFIXES, output)
    except NoSuchInput as error:
        say(f"{error.message} {error.remedy}")
        return {"error": error.to_dict(), "exit_code": USAGE}
    options = {**vars(arguments), **_absolute_paths(arguments)}
    if arguments.write_job:
        of_tasks = {name: options[name] for name in TASK_OPTIONS if name != "device"}
        return write_job(arguments, of_tasks, len(items))
    with no_trace():
        for light in options["relight"]:  # refused now, not after the first reconstruction
            make_world(EnvironmentLight(light))
    return run_planned(items, _settings(arguments, options), arguments, progress)


def run_planned(
    items: Sequence[Item],
    settings: BatchSettings,
    arguments: argparse.Namespace,
    progress: Progress,
) -> dict[str, Any]:
    """Convert the items of a shard, and store which ones the batch has; returns its summary.

    Args:
        items: of all shards.
        settings: how they are converted.
        arguments: the command line, with `input`, `output`, `shard`, `time_limit` and
            `backend_python`.
        progress: of the batch.

    Raises:
        OutputNotWritable, DiskFull: if the output folder cannot be written.
    """
    output: Path = arguments.output.absolute()
    run = Run(output, arguments.shard)
    shard = [item for item in items if arguments.shard.has(item.name)]
    if settings.dry_run:
        return run_batch(shard, run, settings, arguments, progress)
    try:
        plan = [PlannedItem(item.name, str(item.source), settings.digest) for item in items]
        write_plan(output, arguments.input, plan)
        with run:
            return run_batch(shard, run, settings, arguments, progress)
    except OSError as error:
        raise write_failure(output, error) from error


def _settings(arguments: argparse.Namespace, options: dict[str, Any]) -> BatchSettings:
    """How the batch of a command line is converted.

    Args:
        arguments: the command line.
        options: the same by name, with absolute paths.
    """
    reconstruct = {name: options[name] for name in RECONSTRUCT_OPTIONS}
    return BatchSettings(
        capture={name: options[name] for name in CAPTURE_OPTIONS},
        reconstruct=reconstruct | face_params(arguments.faces),
        products=Products(
            arguments.formats,
            tuple(options["relight"]),
            arguments.quads,
            arguments.samples,
            arguments.seed,
            arguments.threads,
        ),
        retries=arguments.retries,
        retry_failed=arguments.retry_failed,
        force=arguments.force,
        fail_fast=arguments.fail_fast,
        dry_run=arguments.dry_run,
    )


def _merge(output: Path) -> dict[str, Any]:
    """Print and return the report of all batches in an output folder."""
    try:
        report = merge_report(output)
    except OSError as error:
        raise write_failure(output, error) from error
    for line in report_lines(report):
        say(line)
    return report


def _absolute_paths(arguments: argparse.Namespace) -> dict[str, Any]:
    """The options that may be files, as absolute paths: children run in another folder."""
    checkpoint = meant_checkpoint(arguments.checkpoint)
    environment, *relight = (
        str(Path(light).absolute()) if light and Path(light).is_file() else light
        for light in (arguments.environment, *arguments.relight)
    )
    if checkpoint not in (NONE, *NAMED_CHECKPOINTS) and Path(checkpoint).is_dir():
        checkpoint = str(Path(checkpoint).absolute())
    python = str(Path(arguments.backend_python).absolute()) if arguments.backend_python else ""
    lights = {"environment": environment, "relight": relight}
    return {**lights, "checkpoint": checkpoint, "backend_python": python}


def run_batch(
    items: Sequence[Item],
    run: Run,
    settings: BatchSettings,
    arguments: argparse.Namespace,
    progress: Progress,
) -> dict[str, Any]:
    """Convert items with child processes that end afterwards."""
    limits = TimeLimits(stage=arguments.time_limit)
    children = Children(
        Client(
            lambda: child_commands.blender_server(bpy.app.binary_path, run.folder / "blender.txt"),
            TimeLimits(stage=arguments.time_limit, first_message=BLENDER_FIRST_MESSAGE),
        ),
        Client(
            lambda: _backend_server(arguments.backend_python, run.folder / "backend.txt"), limits
        ),
    )
    log = BatchLog(None if settings.dry_run else run.folder / LOG, say)
    try:
        return Batch(items, run, settings, children, log).run(progress)
    finally:
        children.blender.close()
        children.backend.close()


def _backend_server(python: str, log: Path) -> ChildCommand:
    found = child_commands.backend_python(python, ()) if python else preferences.backend_python()
    return child_commands.backend_server(found, log)
