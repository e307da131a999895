# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Views in memory: the images and masks of a capture, checked before anything is made of them."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from ..shared.errors import EmptyMask, TooFewViews
from ..shared.progress import Progress
from .consistency import agreeing_views, check_in_frame, check_viewpoints
from .image_files import read_color, read_mask
from .resize import area_taps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..shared.cameras import Floats, Intrinsics
    from ..shared.capture_format import BoundingSphere, Capture, Frame

    Image: TypeAlias = NDArray[np.float32]

LOGGER = logging.getLogger(__name__)

LEAST_VIEWS = 2
# A mask with fewer pixels than this shows no object.
LEAST_PIXELS = 16
# Masks that cover more than this part of the frame's border, in most views, show the background.
INVERTED_BORDER = 0.75


@dataclass(frozen=True)
class View:
    """One posed image of the object.

    Attributes:
        name: of the frame.
        image: [height, width, 3] in 0..1, display-referred sRGB, straight: with its background
            where the file has one, white where the file is transparent.
        mask: [height, width] coverage of the object in 0..1.
        intrinsics: of the image as it is here.
        camera_to_world: [4, 4], world of the capture, OpenGL camera axes.
    """

    name: str
    image: Image
    mask: Image
    intrinsics: Intrinsics
    camera_to_world: Floats

    @property
    def cut(self) -> frozenset[str]:
        """The sides of the frame ("left", "top", "right", "bottom") that cut the object."""
        sides = {
            "left": self.mask[:, 0],
            "top": self.mask[0],
            "right": self.mask[:, -1],
            "bottom": self.mask[-1],
        }
        return frozenset(name for name, pixels in sides.items() if (pixels >= 0.5).any())

    def shrunk(self, max_size: int) -> View:
        """The view averaged down until no side is longer than that, in pixels."""
        lens = _limited(self.intrinsics, max_size)
        colors = [_averaged(self.image[..., c], lens.height, lens.width) for c in range(3)]
        mask = _averaged(self.mask, lens.height, lens.width)
        return replace(self, image=np.stack(colors, axis=2), mask=mask, intrinsics=lens)


@dataclass(frozen=True)
class Views:
    """The views of one object that are fit for use.

    Attributes:
        views: two or more, from different viewpoints, none with an empty mask.
        bounding_sphere: of the object, where the capture knows it.
        warnings: sentences for the user, those of the capture first.
    """

    views: tuple[View, ...]
    bounding_sphere: BoundingSphere | None
    warnings: tuple[str, ...]


def load_views(
    capture: Capture, progress: Progress | None = None, max_size: int | None = None
) -> Views:
    """Read all images and masks of a capture and make sure that they show one object.

    A few views that show no object, or that contradict the others, are left out with a warning.

    Args:
        capture: as `read_capture` gives it.
        progress: hears of every view and may cancel.
        max_size: longer images are averaged down to this longest side, in pixels.

    Raises:
        BadImage: if a file is missing, damaged, or of another size than stated.
        EmptyMask: if no mask shows an object, all show everything, or there are none.
        TooFewViews: if fewer than two views remain, or all are taken from one place.
        ObjectOutOfFrame: if the views do not look at one object.
        Cancelled: if the user stopped the job.
    """
    _check_count(len(capture.frames), "the capture has")
    sphere = capture.bounding_sphere
    check_viewpoints([frame.camera_to_world for frame in capture.frames], sphere)
    views = _read_all(capture.frames, progress or Progress(), max_size)
    shown = [view for view in views if _has_object(view)]
    _check_masks(views, shown, sphere)
    _check_count(len(shown), "show an object in their mask")
    agreeing, strangers = agreeing_views(shown, sphere)
    empty = [view for view in views if not _has_object(view)]
    warnings = (
        *capture.warnings,
        *_left_out(empty, "the mask shows no object"),
        *_left_out(strangers, "the pose does not fit the other views"),
    )
    return Views(tuple(agreeing), sphere, warnings)


def read_view(frame: Frame, max_size: int | None = None) -> View:
    """One view on its own, without the checks that need the others.

    Raises:
        BadImage: if a file is missing, damaged, or of another size than stated.
        EmptyMask: if there is neither a mask file nor transparency.
    """
    lens = frame.intrinsics
    colors, alpha = read_color(frame.image_path, (lens.width, lens.height))
    if frame.mask_path is not None:
        mask = read_mask(frame.mask_path, (lens.width, lens.height))
    elif alpha is not None:
        mask = _unit(alpha)
    else:
        raise EmptyMask(
            f"View {frame.name} has neither a mask nor transparency.",
            "Give every frame a mask_path, or an image with the background made transparent.",
        )
    lens = _limited(lens, max_size)
    return View(
        name=frame.name,
        image=_resized_color(colors, alpha, lens),
        mask=_averaged(mask, lens.height, lens.width),
        intrinsics=lens,
        camera_to_world=frame.camera_to_world,
    )


def _read_all(frames: Sequence[Frame], progress: Progress, max_size: int | None) -> list[View]:
    """Every view, one after the other, so that only one full-size photograph is in memory."""
    views = []
    for index, frame in enumerate(frames):
        progress.report("views", index / len(frames), f"reading {frame.name}")
        views.append(read_view(frame, max_size))
    return views


def _left_out(views: Sequence[View], reason: str) -> tuple[str, ...]:
    """A warning for the views that are not used, if there are any."""
    if not views:
        return ()
    warning = f"Left out because {reason}: {', '.join(view.name for view in views)}."
    LOGGER.warning("%s", warning)
    return (warning,)


def _limited(lens: Intrinsics, max_size: int | None) -> Intrinsics:
    """The intrinsics of the image with no side longer than `max_size`."""
    longest = max(lens.width, lens.height)
    if max_size is None or longest <= max_size:
        return lens
    scale = max_size / longest
    return lens.scaled(max(1, round(lens.width * scale)), max(1, round(lens.height * scale)))


def _resized_color(
    colors: NDArray[np.uint8], alpha: NDArray[np.uint8] | None, lens: Intrinsics
) -> Image:
    """Colors in 0..1 at the size of the lens, white where they are transparent.

    Averages are taken with the alpha multiplied in: what hides behind alpha 0 must not bleed.
    """
    size = (lens.height, lens.width)
    image = np.ones((*size, 3), np.float32)
    if alpha is None:
        for channel in range(3):
            image[..., channel] = _averaged(_unit(colors[..., channel]), *size)
        return image
    opacity = _unit(alpha)
    visible = _averaged(opacity, *size)
    for channel in range(3):
        premultiplied = _averaged(_unit(colors[..., channel]) * opacity, *size)
        np.divide(premultiplied, visible, out=image[..., channel], where=visible > 0.0)
    return image.clip(0.0, 1.0)


def _averaged(channel: Image, height: int, width: int) -> Image:
    """A channel [h, w] averaged down by area.

    Rows first: they lie together in memory, and photographs take a sixth of the time.
    """
    rows, columns = channel.shape
    if (rows, columns) == (height, width):
        return channel
    return area_taps(columns, width).apply(area_taps(rows, height).apply(channel, 0), 1)


def _unit(values: NDArray[np.uint8]) -> Image:
    """Bytes as 0..1."""
    return values.astype(np.float32) / np.float32(255)


def _has_object(view: View) -> bool:
    return int((view.mask >= 0.5).sum()) >= LEAST_PIXELS


def _check_count(count: int, what: str) -> None:
    if count < LEAST_VIEWS:
        raise TooFewViews(
            f"Too few views: {count} {what}.", "Take 16 or more views around the object."
        )


def _check_masks(views: list[View], shown: list[View], sphere: BoundingSphere | None) -> None:
    """Raise if no mask shows an object, or most show the background."""
    if not shown:
        if sphere is not None:
            check_in_frame(views, sphere)
        raise EmptyMask(
            f"The masks of all {len(views)} views are empty.",
            "Make masks that are white on the object and black elsewhere.",
        )
    border = float(np.median([_border_coverage(view.mask) for view in views]))
    if border > INVERTED_BORDER:
        raise EmptyMask(
            f"The masks cover {100 * border:.0f} % of the frame's border.",
            "White is the object: the masks are inverted, or they were never made.",
        )


def _border_coverage(mask: Image) -> float:
    """The mean coverage along the four sides of the frame."""
    sides = (mask[0], mask[-1], mask[1:-1, 0], mask[1:-1, -1])
    return float(np.concatenate(sides).mean())
