# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a batch makes of every result beside the result itself: other formats, pictures, quads."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....backend.shared.errors import BackendDied, BadRequest, Cancelled, LsrmError
from ....backend.shared.progress import Progress
from ..job_folders import RESULT
from .statuses import digest

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..backend_client import Client

EXPORTS, QUADS = "exports", "quads"
"""The folders of an item for them."""

QUADS_SECONDS = 900.0
"""That the quads of an item may take: QuadriFlow does not end on every mesh."""


@dataclass(frozen=True)
class Products:
    """What is made of every result.

    Attributes:
        formats: of the exports, in lower case; each has all levels of detail.
        relight: the lights of pictures: paths of HDR images, or names.
        quads: whether to make a mesh of quads.
        samples: paths per pixel of the pictures.
        seed: of the pictures.
        threads: of Blender; 0 takes all.
    """

    formats: tuple[str, ...] = ()
    relight: tuple[str, ...] = ()
    quads: bool = False
    samples: int = 32
    seed: int = 0
    threads: int = 0

    def digest(self) -> dict[str, Any]:
        """What the folder of an item depends on here; empty if nothing is made.

        Raises:
            BadRequest: if an HDR image cannot be read.
        """
        if not (self.formats or self.relight or self.quads):
            return {}
        try:
            lights = {each: digest(Path(each)) for each in self.relight if Path(each).is_file()}
        except OSError as error:
            raise BadRequest(f"A light cannot be read: {error}.", "Check it.") from error
        return {"products": {**asdict(self), "lights": lights}}


def make_products(
    products: Products, folder: Path, blender: Client, progress: Progress
) -> tuple[list[str], list[str]]:
    """Have the second Blender make what is wanted of the result of an item.

    Args:
        products: what is wanted.
        folder: of the item.
        blender: the second Blender; a job that it has already goes first.
        progress: of the batch; may cancel.

    Returns:
        The files, relative to the folder, and warnings.

    Raises:
        LsrmError: if something else than quads cannot be made.
    """
    params = {**asdict(products), "result": str(folder / RESULT)}
    files: list[str] = []
    if products.formats or products.relight:
        job = blender.submit("export", {**params, "output": str(folder / EXPORTS)})
        files += _relative(blender.wait(job, progress), EXPORTS)
    if not products.quads:
        return files, []
    job = blender.submit("quads", {**params, "output": str(folder / QUADS)})
    limit = _Deadline(progress, lambda: bool(job.progress.stage), QUADS_SECONDS)
    try:
        files += _relative(blender.wait(job, limit), QUADS)
    except (Cancelled, BackendDied) as error:
        progress.check()
        reason = f"it took over {QUADS_SECONDS:.0f} s" if limit.is_over else error.message
        return files, [f"There are no quads: {reason}"]
    except LsrmError as error:
        return files, [f"There are no quads: {error.message}"]
    return files, []


def _relative(answer: dict[str, Any], folder: str) -> list[str]:
    """The files of an answer, relative to the folder of the item."""
    return [f"{folder}/{each}" for each in answer["files"]]


class _Deadline(Progress):
    """Progress of a job that is cancelled some seconds after it has begun.

    Args:
        progress: of the batch, which cancels it as well.
        has_begun: whether the job runs: others may come before it.
        seconds: that it may take.
    """

    def __init__(self, progress: Progress, has_begun: Callable[[], bool], seconds: float) -> None:
        super().__init__(progress.report)
        self._progress, self._has_begun, self._seconds = progress, has_begun, seconds
        self._end: float | None = None

    @property
    def is_over(self) -> bool:
        """Whether the job has taken too long."""
        return self._end is not None and time.monotonic() > self._end

    def check(self) -> None:
        """Raise if the batch was cancelled, or the job has taken too long.

        Raises:
            Cancelled: in both cases.
        """
        self._progress.check()
        if self._end is None and self._has_begun():
            self._end = time.monotonic() + self._seconds
        if self.is_over:
            raise Cancelled("The job took too long.", "Use fewer faces.")
