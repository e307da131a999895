# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check views before a reconstruction: what the panel shows of a capture."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from .photographs.missing_masks import have_masks
from .shared.capture.capture import MaskEdge
from .shared.capture.checksums import with_changes_named
from .shared.capture.reader import read_capture
from .shared.errors import LsrmError, ObjectOutOfFrame, TooFewViews, write_failure
from .views.contact_sheet import Picture, picture_side, write_contact_sheet
from .views.judgment import FIX_OPTION
from .views.selection import size_in_memory
from .views.views import load_views

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .shared.capture.capture import Capture, Frame
    from .shared.progress import Progress
    from .views.views import View, Views
Item = TypeVar("Item")

MAX_PICTURES = 36
"""On the contact sheet."""


@dataclass(frozen=True)
class CheckRequest:
    """What is checked.

    Attributes:
        views: capture folder or transforms.json.
        fix_cameras: correct a usual mistake in the cameras, as `reconstruct` does.
        contact_sheet: the PNG file for a contact sheet, if one is wanted.
        mask_edge: what is changed at the edge of masks, as `reconstruct` does.
    """

    views: Path
    fix_cameras: bool = False
    contact_sheet: Path | None = None
    mask_edge: MaskEdge = field(default_factory=MaskEdge)


def check_views(request: CheckRequest, progress: Progress) -> dict[str, Any]:
    """Load views as `reconstruct` does, and describe them.

    Views without masks are not judged: their masks are made when they are reconstructed.

    Args:
        request: what is checked.
        progress: of the stage `views`; may cancel.

    Returns:
        `views`, how many are used; `sizes`, the different [width, height] of their images; `masks`,
        how many are `files`, in the `alpha` of the image, and `missing`; `warnings`; `doubtful`,
        whether cameras and masks do not fit; `refused`, whether `reconstruct` ends with an error
        therefore; the judgment of `Views.to_dict`, whose `likely_cause` the request's
        `fix_cameras` corrects; and `cameras`, those that it has corrected, by view.

    Raises:
        LsrmError: if something is wrong with them that no correction of the cameras mends.
    """
    capture = with_changes_named(read_capture(request.views))
    capture = capture.with_mask_edge(request.mask_edge)
    masked = have_masks(capture.frames)
    described = _describe(capture, masked)
    if not all(masked):
        _write_sheet(_pictures_of_files(capture.frames, progress), request)
        return described
    views, refusal = _load(capture, request, progress)
    shown = _evenly(views.views)
    side = picture_side(len(shown))
    _write_sheet([Picture.from_view(view, side) for view in shown], request)
    doubtful = refusal is not None or (views.judgment is not None and views.judgment.is_doubtful)
    described |= {"views": len(views.views), "doubtful": doubtful, **views.to_dict()}
    if refusal is None:
        cameras = {view.name: _camera(view) for view in views.views} if views.fixed else {}
        return described | {"warnings": _for_panel(views.warnings), "cameras": cameras}
    warnings = [*capture.warnings, f"{refusal.message} {refusal.remedy}"]
    cause = {"likely_cause": described["fixed"], "fixed": None, "mean_coverage": None}
    return described | cause | {"refused": True, "warnings": _for_panel(warnings)}


def _load(
    capture: Capture, request: CheckRequest, progress: Progress
) -> tuple[Views, LsrmError | None]:
    """The views; if they are refused because of a mistake that can be corrected, without it.

    Returns:
        The views, and why they are refused as they are, if they are.

    Raises:
        LsrmError: if they are refused, and no correction is known.
    """
    size = size_in_memory(capture.frames)
    try:
        return load_views(capture, progress, size, fix_cameras=request.fix_cameras), None
    except (ObjectOutOfFrame, TooFewViews) as error:
        if request.fix_cameras:
            raise
        try:
            views = load_views(capture, progress, size, fix_cameras=True)
        except LsrmError:
            raise error from None
        if views.fixed is None:
            raise
        return views, error


def _describe(capture: Capture, masked: Sequence[bool]) -> dict[str, Any]:
    """What is known of views without loading them."""
    files = sum(frame.mask_path is not None for frame in capture.frames)
    lenses = [frame.intrinsics_on_disk for frame in capture.frames]
    return {
        "views": len(capture.frames),
        "sizes": sorted({(lens.width, lens.height) for lens in lenses}),
        "masks": {"files": files, "alpha": sum(masked) - files, "missing": masked.count(False)},
        "warnings": list(capture.warnings),
        "doubtful": False,
        "refused": False,
        "mean_coverage": None,
        "left_out": [],
        "likely_cause": None,
        "fixed": None,
        "cameras": {},
    }


def _camera(view: View) -> dict[str, Any]:
    """The pose and the intrinsics of a view, as JSON."""
    pose, lens = view.camera_to_world, view.full_intrinsics
    return {"camera_to_world": pose.tolist(), "intrinsics": asdict(lens)}


def _for_panel(warnings: Sequence[str]) -> list[str]:
    """Warnings without the option of the command line: the panel has a button for it."""
    return [warning.replace(FIX_OPTION, "").strip() for warning in warnings]


def _pictures_of_files(frames: Sequence[Frame], progress: Progress) -> list[Picture]:
    """Pictures of views whose masks are not known."""
    shown = _evenly(frames)
    side, pictures = picture_side(len(shown)), []
    for index, frame in enumerate(shown):
        progress.report("views", index / len(shown), f"reading {frame.name}")
        pictures.append(Picture.from_frame(frame, side))
    return pictures


def _write_sheet(pictures: Sequence[Picture], request: CheckRequest) -> None:
    """Write the contact sheet, if one is requested.

    Raises:
        OutputNotWritable, DiskFull: if it cannot be written.
    """
    if request.contact_sheet is None:
        return
    try:
        write_contact_sheet(pictures, request.contact_sheet)
    except OSError as error:
        raise write_failure(request.contact_sheet, error) from error


def _evenly(items: Sequence[Item]) -> list[Item]:
    """At most MAX_PICTURES of the items, evenly spaced in their order."""
    count = min(MAX_PICTURES, len(items))
    chosen = np.linspace(0, len(items) - 1, count).round().astype(int)
    return [items[i] for i in chosen]
