# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `render-dataset`: assets to a data set for training, by the batch of `convert`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...backend.shared.dataset_index import INDEX
from ...backend.shared.errors import write_failure
from ...backend.shared.exit_codes import USAGE
from ...backend.shared.terminal import say
from ..capture_choices import SOFT_BOXES
from ..jobs.batch.datasets import DatasetSettings, write_dataset_index
from ..jobs.batch.items import NoSuchInput, find_items
from ..scene.assets.asset_import import SUFFIXES
from ..scene.lighting import EnvironmentLight, make_world, panorama
from ..scene.scene_state import no_trace
from .convert import run_planned

if TYPE_CHECKING:
    import argparse

    from ...backend.shared.progress import Progress


EVEN_RADIANCE = 0.5
"""Of a light, the mean over all directions, before it is dimmed or brightened for an asset."""

PANORAMA_WIDTH = 64
"""In pixels, of the pictures of lights that their brightness is measured in."""


def render_dataset(arguments: argparse.Namespace, progress: Progress) -> dict[str, Any]:
    """Render the data set that a command line describes; returns the summary of its batch."""
    output: Path = arguments.output.absolute()
    try:
        items = find_items(arguments.input, SUFFIXES, output)
    except NoSuchInput as error:
        say(f"{error.message} {error.remedy}")
        return {"error": error.to_dict(), "exit_code": USAGE}
    settings = _settings(arguments)
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
    with no_trace():
        strengths = tuple(_even_strength(light) for light in lights)
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
        strengths=strengths,
        seed=arguments.seed,
    )


def _even_strength(light: str) -> float:
    """The strength at which a light is as bright as the others.

    Raises:
        BadAsset: if there is no such light.
    """
    picture = panorama(make_world(EnvironmentLight(light)), [], (0.0, 0.0, 0.0), PANORAMA_WIDTH)
    rows = (np.arange(len(picture)) + 0.5) / len(picture)
    share = np.sin(np.pi * rows)  # of a row in the whole sphere
    mean = float((picture.mean(axis=(1, 2)) * share).sum() / share.sum())
    return EVEN_RADIANCE / max(mean, 1e-6)
