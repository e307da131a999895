# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Batches that make a data set for training: each asset in a light of its own, as one file."""

from __future__ import annotations

import functools
import hashlib
import random
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....backend.shared.dataset_index import SAMPLE, IndexEntry, write_index
from ....backend.shared.errors import BadRequest
from ..job_folders import CAPTURE
from .settings import BatchSettings
from .statuses import DONE, read_status, settings_digest
from .statuses import digest as digest_of_file

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .items import Item

STRENGTHS = (0.6, 1.5)
"""Factors on the strength of a light."""

FIELDS_OF_VIEW = (25.0, 50.0)
"""In degrees."""

PACKED_FORM = 1
"""Of the files; another number makes them all again."""


@dataclass(frozen=True)
class DatasetSettings(BatchSettings):
    """How the assets of a data set are rendered.

    Attributes:
        lights: HDR images, or names of lights; each asset has one of them, turned and dimmed.
        strengths: of the lights, with which they are alike bright.
        seed: decides with the name of an item on its light and its cameras.
    """

    lights: tuple[str, ...] = ()
    strengths: tuple[float, ...] = ()
    seed: int = 0

    @functools.cached_property
    def digest(self) -> str:
        """Of the settings that the files depend on.

        Raises:
            BadRequest: if a light cannot be read.
        """
        try:
            files = {each: digest_of_file(Path(each)) for each in self.lights if _is_file(each)}
        except OSError as error:
            raise BadRequest(f"A light cannot be read: {error}.", "Check it.") from error
        lights = [files.get(each, each) for each in self.lights]
        found = {"capture": self.capture, "lights": lights, "seed": self.seed}
        return settings_digest({**found, "form": PACKED_FORM})

    @property
    def files(self) -> tuple[str, ...]:
        """What a finished item has, relative to its folder."""
        return (SAMPLE,)

    def capture_of(self, item: Item) -> Mapping[str, Any]:
        """The parameters of `capture` for an item: its light and lens are its own."""
        text = f"{self.seed} {item.name}".encode("utf-8", "surrogateescape")
        of_item = random.Random(hashlib.sha256(text).digest())  # noqa: S311 - not for secrets
        light = of_item.randrange(len(self.lights))
        return {
            **self.capture,
            "environment": self.lights[light],
            "environment_rotation": of_item.uniform(0.0, 360.0),
            "environment_strength": self.strengths[light] * of_item.uniform(*STRENGTHS),
            "field_of_view": of_item.uniform(*FIELDS_OF_VIEW),
            "seed": of_item.randrange(1 << 31),
        }

    def backend_job(self, folder: Path) -> tuple[str, dict[str, Any]]:
        """The method of the backend that takes the capture of an item, and its parameters."""
        paths = {"views": str(folder / CAPTURE), "output": str(folder / SAMPLE)}
        return "pack", {**paths, "name": folder.name}

    def clean_up(self, folder: Path) -> None:
        """Remove the capture, which is in the file now."""
        shutil.rmtree(folder / CAPTURE, ignore_errors=True)


def write_dataset_index(output: Path) -> int:
    """Store the index of all objects that are done, whatever run has made them; their number.

    Args:
        output: the folder of the data set.

    Raises:
        OSError: if it cannot be written.
    """
    folders = [each.parent for each in output.glob(f"*/{SAMPLE}")]
    done = [each.name for each in folders if _is_done(each)]
    write_index(output, [IndexEntry(name, f"{name}/{SAMPLE}") for name in done])
    return len(done)


def _is_done(folder: Path) -> bool:
    status = read_status(folder)
    return status is not None and status.state == DONE


def _is_file(light: str) -> bool:
    return Path(light).is_file()
