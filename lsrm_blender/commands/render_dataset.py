# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `render-dataset`: assets to a data set for training, by the batch of `convert`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...backend.shared.dataset_index import INDEX
from ...backend.shared.errors import write_failure
from ...backend.shared.exit_codes import USAGE
from ...backend.shared.terminal import say
from ..capture_choices import SOFT_BOXES
from ..jobs.batch.datasets import DatasetSettings, write_dataset_index
from ..jobs.batch.items import NoSuchInput, find_items
from ..scene.assets.asset_import import SUFFIXES
from ..scene.lighting import EnvironmentLight, make_world
from ..scene.scene_state import no_trace
from .convert import run_planned

if TYPE_CHECKING:
    import argparse

    from ...backend.shared.progress import Progress


def render_dataset(arguments: argparse.Namespace, progress: Progress) -> dict[str, Any]:
    """Render the data set that a command line describes; returns the summary of its batch."""
    output: Path = arguments.output.absolute()
    try:
        items = find_items(arguments.input, SUFFIXES, output)
    except NoSuchInput as error:
        say(f"{error.message} {error.remedy}")
        return {"error": error.to_dict(), "exit_code": USAGE}
    settings = _settings(arguments)
    with no_trace():
        for light in settings.lights:  # refused now, not at the first asset that draws it
            make_world(EnvironmentLight(light))
    summary = run_planned(items, settings, arguments, progress)
    if settings.dry_run:
        return summary
    try:
        objects = write_dataset_index(output)
    except OSError as error:
        raise write_failure(output, error) from error
    say(f"{output / INDEX}: {objects} objects")
    return {**summary, "objects": objects}


def _settings(arguments: argparse.Namespace) -> DatasetSettings:
    """How the assets of a command line are rendered."""
    lights = tuple(
        str(Path(light).absolute()) if Path(light).is_file() else light
        for light in arguments.environment or (SOFT_BOXES,)
    )
    capture = {
        # One view of the batch's own finds the framing; the data set has the others, with passes.
        "views": 1,
        "test_views": arguments.views,
        "passes": True,
        "size": arguments.size,
        "samples": arguments.samples,
        "threads": arguments.threads,
    }
    return DatasetSettings(
        capture=capture,
        retries=arguments.retries,
        retry_failed=arguments.retry_failed,
        force=arguments.force,
        fail_fast=arguments.fail_fast,
        dry_run=arguments.dry_run,
        lights=lights,
        seed=arguments.seed,
    )
