# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Views in memory: the images and masks of a capture, loaded and checked."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from kernels.core.workers import map_per_core

from ..shared.capture.mask_files import expected_masks
from ..shared.capture.view_brightness import ViewBrightness, not_said_yet
from ..shared.errors import BadCamera, EmptyMask, TooFewViews
from ..shared.progress import Progress
from .consistency import check_in_frame, check_viewpoints, split_by_agreement
from .image_files import read_color, read_mask
from .judgment import Judgment, find_mistake, judge
from .mask_coverage import MaskOutline
from .mask_edges import with_edge
from .mask_polarity import border_coverage, upright_masks
from .resize import average_down
from .undistortion import Undistortion, check_nothing_lost

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..shared.cameras import Floats, Intrinsics
    from ..shared.capture.capture import BoundingSphere, Capture, Frame
    from .camera_mistakes import CameraMistake
    from .decoding import Pixels

    Image: TypeAlias = NDArray[np.float32]

LOGGER = logging.getLogger(__name__)

MIN_VIEWS = 2
# A mask with fewer pixels shows no object.
MIN_MASK_PIXELS = 16
# If the median mask covers a larger fraction of the frame's border, masks show the background.
MAX_BORDER_COVERAGE = 0.75


@dataclass(frozen=True)
class View:
    """One posed image of the object.

    Attributes:
        name: of the frame.
        image: [height, width, 3] float32 in 0..1, display-referred sRGB, not premultiplied; with
            its background, which is white where the file is transparent.
        mask: [height, width] float32, coverage of the object in 0..1.
        intrinsics: for the size of the image.
        camera_to_world: [4, 4] float64, in the world of the capture, OpenGL camera axes.
        frame: the view was read from, if it was read from files.
    """

    name: str
    image: Image
    mask: Image
    intrinsics: Intrinsics
    camera_to_world: Floats
    frame: Frame | None = None

    @property
    def cut(self) -> frozenset[str]:
        """The sides of the frame ("left", "top", "right", "bottom") that cut the object."""
        return _cut_sides(self.mask)

    @property
    def full_intrinsics(self) -> Intrinsics:
        """Those of the image as it was taken, which may be larger than the one in memory."""
        return self.frame.intrinsics if self.frame else self.intrinsics

    def full_size(self) -> View:
        """The view as it was taken, read again if it was averaged down.

        Raises:
            BadImage: if the file is missing or damaged by now.
        """
        if self.frame is None or self.frame.intrinsics == self.intrinsics:
            return self
        return read_view(self.frame)

    def corrected(self, mistake: CameraMistake) -> View:
        """The view with its camera corrected; pixels do not change.

        Raises:
            BadCamera: if an image with lens distortion needs other intrinsics.
        """
        full, pose = mistake.correct(self.full_intrinsics, self.camera_to_world)
        frame = self.frame
        if frame is not None and frame.lens is not None and full != frame.intrinsics:
            raise BadCamera(mistake.sentence, "Correct the intrinsics of the distorted images.")
        if frame is not None:
            frame = replace(frame, intrinsics=full, camera_to_world=pose)
        lens = full.scaled(self.intrinsics.width, self.intrinsics.height)
        return replace(self, intrinsics=lens, camera_to_world=pose, frame=frame)

    def shrunk(self, max_size: int) -> View:
        """The view with image and mask averaged down to a longest side in pixels."""
        lens = self.intrinsics.limited(max_size)
        colors = [average_down(self.image[..., c], lens.height, lens.width) for c in range(3)]
        mask = average_down(self.mask, lens.height, lens.width)
        return replace(self, image=np.stack(colors, axis=2), mask=mask, intrinsics=lens)


@dataclass(frozen=True)
class Views:
    """The usable views of one object.

    Attributes:
        views: two or more, from different viewpoints, none with an empty mask.
        bounding_sphere: of the object, if the capture has one.
        warnings: for the user, those of the capture first.
        judgment: how well cameras and masks agree; None if that is not measured.
        fixed: the mistake of the capture's cameras that is corrected in the views, if any.
    """

    views: tuple[View, ...]
    bounding_sphere: BoundingSphere | None
    warnings: tuple[str, ...]
    judgment: Judgment | None = None
    fixed: CameraMistake | None = None

    @property
    def moved(self) -> bool:
        """Whether the world of the views is another than that of the capture and its light."""
        return self.fixed is not None and self.fixed.moves_world

    def to_dict(self) -> dict[str, Any]:
        """The judgment and the correction of the cameras, as JSON."""
        judgment = self.judgment.to_dict() if self.judgment else {}
        return {**judgment, "fixed": self.fixed.code if self.fixed else None}


def load_views(
    capture: Capture,
    progress: Progress | None = None,
    max_size: int | None = None,
    *,
    fix_cameras: bool = False,
) -> Views:
    """Read all images and masks of a capture and check that they show one object.

    A few views that show no object, or do not agree with the others, are dropped with a warning.
    A usual mistake in the cameras is named in a warning, or in the error if nothing fits.

    Args:
        capture: of `read_capture`.
        progress: of reading the views; may cancel.
        max_size: longest side in pixels to which larger images are averaged down.
        fix_cameras: correct a usual mistake in the cameras, if that brings the masks together.

    Raises:
        BadImage: if a file is missing, damaged, or of another size than stated.
        BadCamera: if a lens distorts so much that a pinhole cannot show the object.
        EmptyMask: if no mask shows an object, the masks are inverted, or there are none.
        TooFewViews: if fewer than two views remain, or all are from one viewpoint.
        ObjectOutOfFrame: if the views do not look at one object, or the masks do not fit.
        Cancelled: if the user cancels the job.
    """
    _check_count(len(capture.frames), "the capture has")
    sphere = capture.bounding_sphere
    if not fix_cameras:
        check_viewpoints([frame.camera_to_world for frame in capture.frames], sphere)
    progress = progress or Progress()
    views = _read_all(capture.frames, progress, max_size)
    views, inverted = upright_masks(views)
    views = [_read_again_if_inverted(view, max_size) for view in views] if inverted else views
    with_object = [view for view in views if _has_object(view)]
    _check_masks(views, with_object, sphere)
    _check_count(len(with_object), "show an object in their mask")
    fixed, with_object = _fix_cameras(with_object) if fix_cameras else (None, with_object)
    sphere = None if fixed and fixed.moves_world else sphere
    progress.check()
    agreeing, disagreeing = split_by_agreement(with_object, sphere)
    progress.check()
    judgment = _judge(agreeing)
    empty = [view for view in views if not _has_object(view)]
    warnings = (
        *capture.warnings,
        *((inverted,) if inverted else ()),
        *((f"Corrected: {fixed.sentence}",) if fixed else ()),
        *_dropped(empty, "the mask shows no object"),
        *_dropped(disagreeing, "the pose does not fit the other views"),
        *judgment.warnings(),
        *not_said_yet(_brightness(agreeing).warnings(), capture.warnings),
    )
    kept = tuple(view for view in agreeing if view.name not in judgment.spoilers)
    return Views(kept, sphere, warnings, judgment, fixed)


def _brightness(views: Sequence[View]) -> ViewBrightness:
    """How bright the object is in the views."""
    brightness = ViewBrightness()
    for view in views:
        brightness.add(view.image, view.mask, view.camera_to_world)
    return brightness


def _judge(views: Sequence[View]) -> Judgment:
    """How well cameras and masks agree; logged, since what follows takes minutes.

    Raises:
        ObjectOutOfFrame: if the result would not be the object.
    """
    judgment = judge([view.name for view in views], _outlines_of(views))
    judgment.check()
    for warning in judgment.warnings():
        LOGGER.warning("%s", warning)
    return judgment


def _outlines_of(views: Sequence[View]) -> list[MaskOutline]:
    """The outline of every mask."""
    return list(map_per_core(MaskOutline.from_view, views))


def _fix_cameras(views: list[View]) -> tuple[CameraMistake | None, list[View]]:
    """The usual mistake in the cameras, if there is one, and the views without it.

    Raises:
        BadCamera: if images with lens distortion need other intrinsics.
        TooFewViews: if all cameras have the same position, also with a mistake corrected.
    """
    mistake, _ = find_mistake(_outlines_of(views))
    corrected = [view.corrected(mistake) for view in views] if mistake else views
    check_viewpoints([view.camera_to_world for view in corrected], None)
    return mistake, corrected


def read_view(frame: Frame, max_size: int | None = None) -> View:
    """Read one view as its pinhole camera shows it, without the checks that need the others.

    Raises:
        BadImage: if a file is missing, damaged, or of another size than stated.
        BadCamera: if the lens distorts so much that a pinhole cannot show the object.
        EmptyMask: if there is neither a mask file nor transparency.
    """
    lens = frame.intrinsics.limited(max_size)
    colors, alpha, mask = _read_undistorted(frame, sharp=2 * lens.width > frame.intrinsics.width)
    return View(
        name=frame.name,
        image=_resized_color(colors, alpha, lens),
        mask=average_down(mask, lens.height, lens.width),
        intrinsics=lens,
        camera_to_world=frame.camera_to_world,
        frame=frame,
    )


def _read_undistorted(frame: Frame, *, sharp: bool) -> tuple[Pixels, Pixels | None, Image]:
    """Colors, alpha and mask at full size, without the distortion of a lens."""
    colors, alpha, mask = _read_files(frame)
    if frame.lens is None:
        return colors, alpha, mask
    check_nothing_lost(frame, mask)
    undistortion = Undistortion(frame.lens, frame.intrinsics, sharp)
    return *undistortion.color(colors, alpha), undistortion.mask(mask)


def _read_files(frame: Frame) -> tuple[Pixels, Pixels | None, Image]:
    """Colors and alpha as they are on disk, and the mask with the edge that is wanted."""
    colors, alpha = read_color(frame.image_path, _size_on_disk(frame), frame.orientation)
    mask = read_mask_file(frame)
    if mask is None and alpha is not None:
        mask = _unit(alpha)
    if mask is not None:
        return colors, alpha, with_edge(mask, frame.mask_edge, frame.name)
    raise EmptyMask(
        f"View {frame.name} has neither a mask nor transparency.",
        "Give it an image with the background made transparent, or a mask where it is looked "
        f"for: {expected_masks(frame.image_path)}.",
    )


def read_mask_file(frame: Frame) -> Image | None:
    """The mask of a file of its own, as it is on disk; None if there is none."""
    if frame.mask_path is None:
        return None
    mask = read_mask(frame.mask_path, _size_on_disk(frame), frame.mask_orientation)
    return 1.0 - mask if frame.mask_inverted else mask


def _size_on_disk(frame: Frame) -> tuple[int, int]:
    return frame.intrinsics_on_disk.width, frame.intrinsics_on_disk.height


def _within_lens(frame: Frame) -> Frame:
    """The frame, cut to what its lens shows at the sides of the image that cut the object.

    An undistorted image is curved at its sides. Beyond them nothing is known of an object that is
    cut there, and all that follows looks for that at straight sides.
    """
    if frame.lens is None:
        return frame
    mask = read_mask_file(frame)
    sides = _cut_sides(_read_files(frame)[2] if mask is None else mask)
    return replace(frame, intrinsics=frame.lens.inside(frame.intrinsics, sides))


def _read_again_if_inverted(view: View, max_size: int | None) -> View:
    """A view as an inverted mask has it, where that is more than the difference from one.

    Outside of the image of a lens is no object, and it is the object that is eroded.
    """
    frame = view.frame
    if frame is None or not frame.mask_inverted:
        return view
    if frame.lens is not None:
        frame = replace(frame, intrinsics=frame.lens.pinhole())
    elif frame.mask_edge.is_unchanged:
        return view
    return read_view(_within_lens(frame), max_size)


def _cut_sides(mask: Image) -> frozenset[str]:
    """The sides of an image ("left", "top", "right", "bottom") that cut the object."""
    sides = {"left": mask[:, 0], "top": mask[0], "right": mask[:, -1], "bottom": mask[-1]}
    return frozenset(name for name, pixels in sides.items() if (pixels >= 0.5).any())


def _read_all(frames: Sequence[Frame], progress: Progress, max_size: int | None) -> list[View]:
    """Read all views, one after the other, so that only one full-size photograph is in memory."""
    views = []
    for index, frame in enumerate(frames):
        progress.report("views", index / len(frames), f"reading {frame.name}")
        views.append(read_view(_within_lens(frame), max_size))
    return views


def _dropped(views: Sequence[View], reason: str) -> tuple[str, ...]:
    """A warning about views that are not used, if there are any."""
    if not views:
        return ()
    warning = f"Left out because {reason}: {', '.join(view.name for view in views)}."
    LOGGER.warning("%s", warning)
    return (warning,)


def _resized_color(colors: Pixels, alpha: Pixels | None, lens: Intrinsics) -> Image:
    """Colors in 0..1 at the size of the intrinsics, white where they are transparent.

    Colors are averaged premultiplied, so that those behind alpha 0 do not bleed.
    """
    size = (lens.height, lens.width)
    image = np.ones((*size, 3), np.float32)
    if alpha is None:
        for channel in range(3):
            image[..., channel] = average_down(_unit(colors[..., channel]), *size)
        return image
    opacity = _unit(alpha)
    visible = average_down(opacity, *size)
    for channel in range(3):
        premultiplied = average_down(_unit(colors[..., channel]) * opacity, *size)
        np.divide(premultiplied, visible, out=image[..., channel], where=visible > 0.0)
    return image.clip(0.0, 1.0)


def _unit(values: Pixels) -> Image:
    """Values of 8 or 16 bits as float32 in 0..1."""
    return values.astype(np.float32) / np.float32(np.iinfo(values.dtype).max)


def _has_object(view: View) -> bool:
    return int((view.mask >= 0.5).sum()) >= MIN_MASK_PIXELS


def _check_count(count: int, what: str) -> None:
    if count < MIN_VIEWS:
        raise TooFewViews(
            f"Too few views: {count} {what}.", "Take 16 or more views around the object."
        )


def _check_masks(views: list[View], with_object: list[View], sphere: BoundingSphere | None) -> None:
    """Raise if no mask shows an object, or most masks show the background."""
    if not with_object:
        if sphere is not None:
            check_in_frame(views, sphere)
        raise EmptyMask(
            f"The masks of all {len(views)} views are empty.",
            "Make masks that are white on the object and black elsewhere.",
        )
    border = float(np.median([border_coverage(view.mask) for view in views]))
    if border > MAX_BORDER_COVERAGE:
        raise EmptyMask(
            f"The masks cover {100 * border:.0f} % of the frame's border.",
            "Make masks that are white on the object: these are inverted or completely white.",
        )
