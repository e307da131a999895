# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The grammar of the commands `convert` and `render-dataset`."""

from __future__ import annotations

import argparse
from pathlib import Path

from ...backend.shared.terminal import add_reconstruct_options, positive_integer
from ..capture_choices import SOFT_BOXES
from ..export_formats import SUFFIXES
from ..jobs.farm.shards import WHOLE, shard_setting
from .view_options import add_rendering, add_view_options

FORMATS = tuple(kind.lower() for kind in SUFFIXES)


def add_convert(command: argparse.ArgumentParser) -> None:
    """Add the options of `convert`."""
    add = command.add_argument
    add("input", nargs="*", help="files, folders, patterns such as 'assets/**/*.glb'")
    add("-o", "--output", type=Path, metavar="OUT")
    add(
        "--merge-report",
        type=Path,
        metavar="OUT",
        help="convert nothing: one table and exit code of all that was converted to OUT",
    )
    _add_batch(command)
    add_view_options(command)
    add_reconstruct_options(command)
    add(
        "--formats",
        type=formats_setting,
        default=(),
        metavar="A,B",
        help=f"also export every result and its levels of detail, as {', '.join(FORMATS)}",
    )
    add(
        "--relight",
        nargs="+",
        action="extend",
        default=[],
        metavar="HDRI",
        help="also render every result under these lights",
    )
    add("--quads", action="store_true", help="also remesh every result to quads, by QuadriFlow")
    add_rendering(command, samples=32)
    _add_job_file(command)


def add_render_dataset(command: argparse.ArgumentParser) -> None:
    """Add the options of `render-dataset`."""
    add = command.add_argument
    add("input", nargs="+", help="files, folders, patterns such as 'assets/**/*.glb'")
    add("-o", "--output", type=Path, required=True, metavar="DIR")
    _add_batch(command)
    add("--views", type=positive_integer, default=16, help="of every asset")
    add("--size", type=positive_integer, default=256, help="of the square images, in pixels")
    add(
        "--environment",
        nargs="+",
        action="extend",
        metavar="HDRI|NAME",
        help="lights: each asset has one of them, turned and dimmed or brightened at random "
        f"(default: {SOFT_BOXES})",
    )
    add_rendering(command, samples=32)


def _add_batch(command: argparse.ArgumentParser) -> None:
    """Add the options of any batch."""
    add = command.add_argument
    add("--force", action="store_true", help="do again what is done")
    add("--retry-failed", action="store_true", help="try again what failed, or was set aside")
    add("--retries", type=int, default=1, metavar="N", help="of an item after a child process died")
    add("--time-limit", type=float, default=1800.0, metavar="SECONDS", help="of every stage")
    add("--fail-fast", action="store_true", help="stop at the first failure")
    add("--dry-run", action="store_true", help="only list what would be done")
    add(
        "--shard",
        type=shard_setting,
        default=WHOLE,
        metavar="i/N",
        help="only this part of the items: several machines share them by 1/N to N/N",
    )
    add("--backend-python", default="", metavar="PATH", help="default: the installed one")


def formats_setting(text: str) -> tuple[str, ...]:
    """The value of `--formats`: some of `FORMATS`, with commas between.

    Raises:
        argparse.ArgumentTypeError: if there are others.
    """
    chosen = tuple(dict.fromkeys(each.strip().lower() for each in text.split(",")))
    if unknown := [each for each in chosen if each not in FORMATS]:
        known = ", ".join(FORMATS)
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is no format; these are: {known}")
    return chosen


def check_convert(program: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    """End with wrong usage if options of `convert` are missing or do not go together."""
    if arguments.merge_report is None and not (arguments.input and arguments.output):
        program.error("convert needs INPUT and -o OUT, or --merge-report OUT")
    if bool(arguments.write_job) != bool(arguments.job_file):
        program.error("--write-job needs --job-file FILE, and the other way round")
    not_for_jobs = ("--force", "--fail-fast", "--dry-run")
    given = [flag for flag in not_for_jobs if getattr(arguments, flag[2:].replace("-", "_"))]
    if arguments.shard != WHOLE:
        given.append("--shard")
    if arguments.write_job and given:
        program.error(f"{given[0]} is not for jobs: a farm runs a shard again until all is done")


def _add_job_file(command: argparse.ArgumentParser) -> None:
    """The options for farms."""
    add = command.add_argument_group("for the scheduler of a farm").add_argument
    add(
        "--write-job",
        choices=("openjd", "slurm", "flamenco"),
        help="convert nothing: write these assets and options as a job to --job-file",
    )
    add("--job-file", type=Path, metavar="FILE")
    add(
        "--chunk-size",
        type=positive_integer,
        metavar="ITEMS",
        help="of a task; default: 10, or what makes 1,000 tasks",
    )
    add(
        "--task-time-limit",
        type=positive_integer,
        metavar="SECONDS",
        help="after which the scheduler ends a task; default: its own",
    )
    add("--exit-zero", action="store_true", help="failed items are no failure: see --merge-report")
    add(
        "--progress",
        choices=("text", "openjd"),
        default="text",
        help="openjd: also lines on stdout that engines of Open Job Description read",
    )
