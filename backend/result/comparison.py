# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A result against the views it was made of: which views, their scores, and a difference picture.

Blender renders the result between the two halves: `choose_views` says at which cameras, and
`compare` scores what was rendered.
"""

from __future__ import annotations

import io
import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from PIL import Image

from ..shared.atomic_folder import write_file_atomically
from ..shared.capture.capture import MaskEdge
from ..shared.capture.reader import read_capture
from ..shared.errors import BadCapture, EmptyMask, write_failure
from ..shared.names.result_names import COMPARISON, MASKS, REPORT
from ..shared.srgb import linear_to_srgb, srgb_to_linear
from ..views.views import load_views, read_view
from .scores import ImageScores, mean_scores, over_white, read_render, score_image

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from ..shared.capture.capture import Frame
    from ..shared.progress import Progress
    from ..views.views import View

    Floats: TypeAlias = NDArray[np.float32]

MOST_VIEWS, LONGEST_SIDE = 8, 384
"""Views that are compared, and their longest side in pixels: enough to see and to score."""

TRUTH, RENDERS = "views", "renders"
"""Folders of the views, and of what Blender renders at their cameras."""

SHOWN_IN_PANEL, SIDE_IN_PANEL = 3, 128
"""Views on the small picture, those that are least alike, and the side of a cell in pixels."""

WORST_ERROR = 0.35
"""The mean difference of the colors, 0..1, that is drawn white."""


@dataclass(frozen=True)
class Comparison:
    """Where the files of a comparison are.

    Attributes:
        result: the result folder; the difference picture is written into it.
        views: the capture folder or transforms.json that it was made of.
        work: a folder for temporary files.
    """

    result: Path
    views: Path
    work: Path


def choose_views(comparison: Comparison, progress: Progress) -> list[dict[str, Any]]:
    """Store some of the views that a result was made of, spread over all, and say their cameras.

    Views are as the result was made of them: with the corrections of cameras and exposures, and
    the masks that were made.

    Returns:
        For each: `name`, of the files; `camera_to_world` and `intrinsics`, of the stored image.

    Raises:
        BadCapture: if the views are no capture, or none of them shows the object.
        LsrmError: if a file is missing or damaged.
    """
    report = _read_report(comparison.result)
    chosen = _read_views(comparison, report, progress)
    if not chosen:
        raise BadCapture(
            f"No view in {comparison.views} shows the object.",
            "Choose the views that the result was made of.",
        )
    gains = report.get("gains") or {}
    folder = comparison.work / TRUTH
    folder.mkdir(parents=True, exist_ok=True)
    cameras = []
    for index, view in enumerate(chosen):
        image = _with_gain(view.image, gains.get(view.name))
        truth = np.concatenate([image, view.mask[..., None]], axis=2)
        Image.fromarray(_bytes(truth)).save(folder / f"{index:04d}.png")
        cameras.append(
            {
                "name": f"{index:04d}",
                "view": view.name,
                "camera_to_world": view.camera_to_world.tolist(),
                "intrinsics": asdict(view.intrinsics),
            }
        )
    return cameras


def compare(
    comparison: Comparison, views: dict[str, str], small: Path | None, progress: Progress
) -> dict[str, Any]:
    """Score renders against the stored views, and write the difference picture.

    Args:
        comparison: after `choose_views`, with a render in `RENDERS` for each view.
        views: the names of the views, by those of their files.
        small: the file for a small picture of the views that are least alike, if one is wanted.
        progress: of the stage `compare`; may cancel.

    Returns:
        `mean`, the mean scores; `views`, those of each view; `worst`, the name of the view with
        the least PSNR of the object; `picture`, the path of the difference picture.

    Raises:
        BadImage: if a render is missing.
        OutputNotWritable, DiskFull: if the pictures cannot be written.
    """
    scores: dict[str, ImageScores] = {}
    rows: dict[str, list[Floats]] = {}
    for index, (file, name) in enumerate(views.items()):
        progress.report("compare", index / len(views), name)
        truth = read_render(comparison.work / TRUTH, file, None)
        render = read_render(comparison.work / RENDERS, file, truth.shape[:2])
        scores[name] = score_image(render, truth)
        rows[name] = [over_white(truth), over_white(render), difference(render, truth)]
    by_error = sorted(scores, key=lambda name: scores[name].psnr_foreground)
    picture = comparison.result / COMPARISON
    write_picture(stacked_rows(list(rows.values())), picture)
    if small is not None:
        write_picture(
            stacked_rows([rows[name] for name in by_error[:SHOWN_IN_PANEL]], SIDE_IN_PANEL), small
        )
    return {
        "mean": asdict(mean_scores(list(scores.values()))),
        "views": {name: asdict(score) for name, score in scores.items()},
        "worst": by_error[0],
        "picture": str(picture),
    }


def difference(render: Floats, truth: Floats) -> Floats:
    """The mean difference of two straight-alpha images [height, width, 4] over white, in colors.

    Black where they are equal, then red, yellow, white; [height, width, 3].
    """
    error = np.abs(over_white(render) - over_white(truth)).mean(axis=2) / WORST_ERROR
    ramp = [np.clip(3.0 * error - start, 0.0, 1.0) for start in (0.0, 1.0, 2.0)]
    return np.stack(ramp, axis=2).astype(np.float32)


def _read_report(result: Path) -> dict[str, Any]:
    """The report of a result; empty if it has none that can be read."""
    try:
        report = json.loads((result / REPORT).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return report if isinstance(report, dict) else {}


def _read_views(comparison: Comparison, report: dict[str, Any], progress: Progress) -> list[View]:
    """Some of the views that a result was made of, averaged down."""
    capture = read_capture(comparison.views).with_mask_edge(_mask_edge(report))
    frames = tuple(_with_made_mask(frame, comparison.result) for frame in capture.frames)
    judged = report.get("views") or {}
    if judged.get("fixed"):
        corrected = replace(capture, frames=frames)
        views = load_views(corrected, progress, LONGEST_SIDE, fix_cameras=True).views
        return [views[i] for i in _spread(len(views))]
    used = [frame for frame in frames if frame.name not in judged.get("left_out", ())]
    read = []
    for number, index in enumerate(_spread(len(used))):
        progress.report("views", number / MOST_VIEWS, f"reading {used[index].name}")
        try:
            view = read_view(used[index], LONGEST_SIDE)
        except EmptyMask:  # a view without mask that was not used
            continue
        if (view.mask >= 0.5).any():
            read.append(view)
    return read


def _mask_edge(report: dict[str, Any]) -> MaskEdge:
    """What was changed at the edge of the masks of a result."""
    request = report.get("request") or {}
    erode, feather = (str(request.get(f"mask_{name}", "0")) for name in ("erode", "feather"))
    return MaskEdge(*(int(each) if each.isdecimal() else 0 for each in (erode, feather)))


def _spread(count: int) -> list[int]:
    """At most `MOST_VIEWS` indices, evenly spaced."""
    wanted = min(MOST_VIEWS, count)
    return [int(i) for i in np.linspace(0, count, wanted, endpoint=False)] if wanted else []


def _with_made_mask(frame: Frame, result: Path) -> Frame:
    """A frame with the mask that was made for it and stored with the result, if there is one."""
    made = result / MASKS / f"{frame.name}.png"
    if frame.mask_path is not None or not made.is_file():
        return frame
    return replace(frame, mask_path=made, mask_orientation=1, mask_inverted=False)


def _with_gain(image: Floats, gain: Sequence[float] | None) -> Floats:
    """An image [height, width, 3] with its linear colors multiplied by a gain."""
    if gain is None:
        return image
    linear = srgb_to_linear(image) * np.asarray(gain, np.float32)
    return np.asarray(linear_to_srgb(linear.clip(0.0, 1.0)), np.float32)


def stacked_rows(rows: Sequence[Sequence[Floats]], side: int | None = None) -> Floats:
    """Images in rows below each other, over white; `side` is that of a cell in pixels."""
    height = max(row[0].shape[0] for row in rows)
    width = max(row[0].shape[1] for row in rows)
    height, width = (side, side) if side else (height, width)
    sheet = np.ones((len(rows) * height, len(rows[0]) * width, 3), np.float32)
    for y, row in enumerate(rows):
        for x, cell in enumerate(row):
            picture = Image.fromarray(_bytes(cell))
            picture.thumbnail((width, height))
            pixels = np.asarray(picture, np.float32) / np.float32(255)
            top = y * height + (height - pixels.shape[0]) // 2
            left = x * width + (width - pixels.shape[1]) // 2
            sheet[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels
    return sheet


def _bytes(image: Floats) -> NDArray[np.uint8]:
    return np.rint(255.0 * image.clip(0.0, 1.0)).astype(np.uint8)


def write_picture(image: Floats, path: Path) -> None:
    """Write a PNG file.

    Raises:
        OutputNotWritable, DiskFull: if it cannot be written.
    """
    buffer = io.BytesIO()
    Image.fromarray(_bytes(image)).save(buffer, "PNG")
    try:
        write_file_atomically(path, buffer.getvalue())
    except OSError as error:
        raise write_failure(path, error) from error
