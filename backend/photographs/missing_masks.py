# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Complete a capture: views without mask and transparency get masks that are made."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..shared.capture.image_header import read_image_header
from ..shared.capture.mask_files import expected_masks
from ..shared.errors import EmptyMask, EnvironmentBroken, TooFewViews, write_failure
from ..views.consistency import check_viewpoints
from ..views.image_files import read_color
from .mask_making import make_masks
from .mask_model import predict_masks
from .plain_backdrop import backdrop_masks
from .stored_masks import CONTACT_SHEET, store_masks, write_sheet_of_masks

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ..shared.capture.capture import Capture, Frame
    from ..shared.progress import Progress
    from .mask_making import MadeMasks
    from .mask_source import MaskSource

MIN_PHOTOGRAPHS = 5
"""Fewer do not give a shape that masks could be checked with."""


@dataclass(frozen=True)
class CompletedCapture:
    """A capture whose views all have masks.

    Attributes:
        capture: with the paths of the masks.
        folder: of the masks that were made.
        contact_sheet: a picture of them.
        made: how many were made.
        notes: for the user.
    """

    capture: Capture
    folder: Path
    contact_sheet: Path
    made: int
    notes: tuple[str, ...]


def have_masks(frames: Sequence[Frame]) -> list[bool]:
    """Whether each frame has a mask file, or an image that is transparent somewhere."""
    return [frame.mask_path is not None or _is_cut_out(frame) for frame in frames]


def add_missing_masks(
    capture: Capture,
    masked: Sequence[bool],
    result: Path,
    source: MaskSource,
    progress: Progress,
) -> CompletedCapture:
    """Make the masks that a capture lacks, and store them.

    Args:
        capture: of `read_capture`.
        masked: whether each frame has a mask or transparency, of `have_masks`.
        result: folder for the contact sheet, and for masks that the capture does not take.
        source: what makes them.
        progress: of the stage `masks`; may cancel.

    Raises:
        EmptyMask: if no object stands out, or the masks disagree; with what helps.
        EnvironmentBroken: if a library is missing, with the command that installs it.
        TooFewViews: if there are too few photographs to know a shape by.
        BadRequest: if the model is none.
        DiskFull, OutputNotWritable: if the masks cannot be stored.
        Cancelled: if the user cancels the job.
    """
    try:
        made = _made_masks(capture, masked, source, progress)
    except (EmptyMask, EnvironmentBroken, TooFewViews) as error:
        image = capture.frames[list(masked).index(False)].image_path
        places = f"Masks of your own are looked for as {expected_masks(image)}."
        raise type(error)(error.message, f"{error.remedy.rstrip('.')}. {places}") from error
    try:
        frames, folder = store_masks(made, capture.folder, result)
        write_sheet_of_masks(made, result / CONTACT_SHEET)
    except OSError as error:
        raise write_failure(result, error) from error
    count = sum(not known for known in masked)
    return CompletedCapture(
        capture=replace(capture, frames=tuple(frames)),
        folder=folder,
        contact_sheet=result / CONTACT_SHEET,
        made=count,
        notes=_notes(count, len(frames), made),
    )


def _made_masks(
    capture: Capture, masked: Sequence[bool], source: MaskSource, progress: Progress
) -> MadeMasks:
    """The masks of a model, of a backdrop, or of colors and the common shape."""
    if source.model is not None:
        return predict_masks(capture.frames, masked, source.model, progress)
    if source.backdrop is not None:
        return backdrop_masks(capture.frames, masked, source.backdrop, progress)
    if len(capture.frames) < MIN_PHOTOGRAPHS:
        raise TooFewViews(
            f"Masks cannot be made of {len(capture.frames)} photographs.",
            f"Take {MIN_PHOTOGRAPHS} or more around the object, or give masks.",
        )
    check_viewpoints([frame.camera_to_world for frame in capture.frames], capture.bounding_sphere)
    return make_masks(capture.frames, masked, capture.bounding_sphere, progress)


def _notes(count: int, views: int, made: MadeMasks) -> tuple[str, ...]:
    """What the user should know about masks that were made."""
    text = f"{count} of {views} views had no mask: masks were made from the photographs."
    notes = [f"{text} Look at {CONTACT_SHEET}, and replace those that are wrong."]
    if made.doubtful:
        notes.append(f"These masks are doubtful: {', '.join(made.doubtful)}.")
    return (*notes, *made.remarks)


def _is_cut_out(frame: Frame) -> bool:
    """Whether an image is transparent somewhere."""
    if read_image_header(frame.image_path).format == "JPEG":
        return False
    lens = frame.intrinsics_on_disk
    _, alpha = read_color(frame.image_path, (lens.width, lens.height), frame.orientation)
    return alpha is not None and bool(alpha.min() < np.iinfo(alpha.dtype).max)
