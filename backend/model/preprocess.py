# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Posed views to the tensors the network reads: composited, cropped to the object, with rays.

One path for every source: the capture layouts of the release and LSRM's own views differ only in
the arguments of `crop_view`. Square views have the release's numbers; for others, which the release
distorts, the projection is right.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch.nn import functional as F

from ..shared.cameras import Intrinsics, Normalization, pixel_rays
from ..shared.srgb import linear_to_srgb, srgb_to_linear
from ..views.resize import resize_linear

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from ..views.views import View
    from .config.model_config import ModelConfig

Light = Literal["display", "linear"]


@dataclass(frozen=True)
class Window:
    """A square of pixels, its ends exclusive; it may reach over the border of the image."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def side(self) -> int:
        """Pixels per side."""
        return self.bottom - self.top


@dataclass(frozen=True)
class SourceView:
    """A photograph before it is cropped.

    Attributes:
        image: float32 [height, width, 3], unmasked, in the light it is to be composited in.
        mask: float32 [height, width], coverage in 0..1.
        intrinsics: of this image.
        camera_to_world: [4, 4], in the model's world.
    """

    image: NDArray[np.float32]
    mask: NDArray[np.float32]
    intrinsics: Intrinsics
    camera_to_world: NDArray[np.float64]


@dataclass(frozen=True)
class CroppedView:
    """A square view of the object, `size` pixels a side.

    Attributes:
        image: [size, size, 3], on white, in the light of its source.
        background: [size, size, 3], the same unmasked.
        mask: [size, size, 1].
        uv: [size, size, 2], x right and y down, -1..1 over the uncropped frame.
        directions: [size, size, 3], unit vectors in the model's world.
        source: the intrinsics of the uncropped frame.
        camera_to_world: [4, 4], in the model's world.
        window: what was cropped.
    """

    image: NDArray[np.float32]
    background: NDArray[np.float32]
    mask: NDArray[np.float32]
    uv: NDArray[np.float32]
    directions: NDArray[np.float32]
    source: Intrinsics
    camera_to_world: NDArray[np.float64]
    window: Window

    @property
    def field_of_view(self) -> float:
        """Horizontal, of the uncropped frame, in radians."""
        return 2.0 * math.atan(0.5 * self.source.width / self.source.fx)

    @property
    def centered_window(self) -> tuple[float, float, float, float]:
        """The window in a square frame of the same width with its optical axis in the middle.

        The routing projects with one field of view for both axes (DEFECT 7, docs/deviations.md). In
        this frame that is right for any camera; for a square one with a centered axis it is the
        window itself.
        """
        view, middle = self.source, 0.5 * self.source.width
        aspect = view.fx / view.fy
        return (
            (self.window.top - view.cy) * aspect + middle,
            (self.window.bottom - view.cy) * aspect + middle,
            self.window.left - view.cx + middle,
            self.window.right - view.cx + middle,
        )


@dataclass(frozen=True)
class ModelFrame:
    """The way back from the model's coordinates: turned like the first camera, normalized.

    Attributes:
        rotation: [3, 3], x_normalized = rotation @ x_model.
        normalization: from the capture's world.
    """

    rotation: NDArray[np.float64]
    normalization: Normalization

    def to_world(self, points: NDArray[Any]) -> NDArray[np.float64]:
        """Points [..., 3] of the model in the capture's world."""
        return self.normalization.invert(np.asarray(points, np.float64) @ self.rotation.T)


@dataclass(frozen=True)
class ViewTensors:
    """What the network reads of I views of S x S pixels, float32.

    Attributes:
        rgb: [I, 3, S, S], sRGB in -1..1 on white.
        background: [I, 3, S, S], the same unmasked.
        mask: [I, 1, S, S], coverage in 0..1.
        ray_origins: [I, S, S, 3].
        ray_directions: [I, S, S, 3], unit length unless `downsampled`.
        uv: [I, S, S, 2].
        cameras: [I, 20], camera-to-world row by row, field of view twice, 0.5, 0.5.
        windows: [I, 4], top, bottom, left, right in the centered square frame.
        frame_sizes: [I], pixels per side of that frame.
        frame: the way back to the world.
    """

    rgb: Tensor
    background: Tensor
    mask: Tensor
    ray_origins: Tensor
    ray_directions: Tensor
    uv: Tensor
    cameras: Tensor
    windows: Tensor
    frame_sizes: Tensor
    frame: ModelFrame

    def downsampled(self, size: int) -> ViewTensors:
        """The low-resolution copy for the dense stage.

        QUIRK 1 (docs/deviations.md): directions are averaged like everything else and not
        normalized again.
        """
        return replace(
            self,
            rgb=F.adaptive_avg_pool2d(self.rgb, size),
            background=F.adaptive_avg_pool2d(self.background, size),
            mask=F.adaptive_avg_pool2d(self.mask, size),
            ray_origins=_pooled(self.ray_origins, size),
            ray_directions=_pooled(self.ray_directions, size),
            uv=_pooled(self.uv, size),
        )

    def plucker(self) -> Tensor:
        """Rays as lines, [I, 6, S, S]: direction d and moment o x d."""
        moments = torch.linalg.cross(self.ray_origins, self.ray_directions)
        return torch.cat([self.ray_directions, moments], -1).permute(0, 3, 1, 2)

    def surface_rays(self, size: int) -> tuple[Tensor, Tensor]:
        """Origins and unit directions, [I, size, size, 3] each, for the surface maps."""
        origins, directions = (
            F.interpolate(rays.permute(0, 3, 1, 2), (size, size), mode="bilinear")
            for rays in (self.ray_origins, self.ray_directions)
        )
        directions = F.normalize(directions, dim=1)
        return origins.permute(0, 2, 3, 1), directions.permute(0, 2, 3, 1)


def _pooled(rays: Tensor, size: int) -> Tensor:
    return F.adaptive_avg_pool2d(rays.permute(0, 3, 1, 2), size).permute(0, 2, 3, 1)


def from_views(
    views: Sequence[View], normalization: Normalization, config: ModelConfig
) -> ViewTensors:
    """The network's input for checked views, at the image size of the sparse stage.

    Args:
        views: with straight sRGB images; what lies outside the mask counts as background.
        normalization: moves the object into the model's sphere.
        config: of the checkpoint: image size, light of compositing, relative pose.
    """
    crops = []
    for view in views:
        image = srgb_to_linear(view.image) if config.compositing == "linear" else view.image
        pose = normalization.apply_to_pose(view.camera_to_world)
        source = SourceView(image, view.mask, view.intrinsics, pose)
        crops.append(crop_view(source, object_window(view.mask), config.sparse.image_size))
    tensors = stack_views(crops, config.compositing, relative_pose=config.relative_pose)
    return replace(tensors, frame=replace(tensors.frame, normalization=normalization))


def object_window(mask: NDArray[Any]) -> Window:
    """The square around the nonzero pixels of a mask [height, width].

    The longer extent fits tightly, the other one is centered and pushed back into the image. An
    object longer than the image's other side stays centered and the window leaves the image
    (DEFECT 19, docs/deviations.md); for an empty mask it is the largest centered square.
    """
    height, width = mask.shape
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if len(rows) == 0:
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        return Window(top, top + side, left, left + side)
    tall, wide = (int(rows[0]), int(rows[-1]) + 1), (int(columns[0]), int(columns[-1]) + 1)
    side = max(tall[1] - tall[0], wide[1] - wide[0])
    return Window(*_spread(tall, side, height), *_spread(wide, side, width))


def _spread(interval: tuple[int, int], side: int, limit: int) -> tuple[int, int]:
    """An interval grown to `side` about its middle, inside of 0..limit if that is possible."""
    if interval[1] - interval[0] == side:
        return interval
    start = (interval[0] + interval[1]) // 2 - side // 2
    if side <= limit:
        start = min(max(start, 0), limit - side)
    return start, start + side


def crop_view(view: SourceView, window: Window, size: int) -> CroppedView:
    """Composite on white, cut a window out and resize it, rays with it.

    Rays and pixel coordinates are resized like the colors, as the release does, instead of being
    computed anew: at the border of an enlarged window the two differ.
    """
    mask = view.mask[..., None]
    on_white = view.image * mask + (1.0 - mask)
    origin = (window.left, window.top, window.right - window.left, window.side)
    _, directions = pixel_rays(view.intrinsics.cropped(*origin), view.camera_to_world)
    directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
    channels = np.concatenate(
        [
            _cut(on_white, window, outside=1.0),
            _cut(view.image, window, outside=None),
            _cut(mask, window, outside=0.0),
            _frame_coordinates(view.intrinsics, window),
            directions,
        ],
        axis=-1,
        dtype=np.float32,
    )
    image, background, mask, uv, directions = np.split(
        resize_linear(channels, size, size), [3, 6, 7, 9], axis=-1
    )
    directions = directions / np.linalg.norm(directions, axis=-1, keepdims=True)
    return CroppedView(
        image, background, mask, uv, directions, view.intrinsics, view.camera_to_world, window
    )


def _cut(image: NDArray[Any], window: Window, outside: float | None) -> NDArray[Any]:
    """The window of an image; beyond the border a constant, or for None the border repeated."""
    height, width = image.shape[:2]
    rows, columns = np.arange(window.top, window.bottom), np.arange(window.left, window.right)
    part: NDArray[Any] = image[rows.clip(0, height - 1)][:, columns.clip(0, width - 1)]
    if outside is not None:
        part[(rows < 0) | (rows >= height)] = outside
        part[:, (columns < 0) | (columns >= width)] = outside
    return part


def _frame_coordinates(intrinsics: Intrinsics, window: Window) -> NDArray[np.float64]:
    """Pixel centers of a window, [rows, columns, (x, y)], -1..1 over the whole frame."""
    x = 2.0 * (np.arange(window.left, window.right) + 0.5) / intrinsics.width - 1.0
    y = 2.0 * (np.arange(window.top, window.bottom) + 0.5) / intrinsics.height - 1.0
    return np.stack(np.meshgrid(x, y), axis=-1)


def stack_views(crops: Sequence[CroppedView], light: Light, *, relative_pose: bool) -> ViewTensors:
    """Cropped views as tensors; with `relative_pose` the world is turned like the first camera."""
    rotation = crops[0].camera_to_world[:3, :3] if relative_pose else np.eye(3)
    cameras = np.stack([camera_vector(c.camera_to_world, c.field_of_view) for c in crops])
    turned = turn_cameras(cameras, rotation)
    directions = np.stack([crop.directions for crop in crops]) @ rotation
    origins = np.broadcast_to(turned[:, None, None, 3:12:4], directions.shape)
    return ViewTensors(
        rgb=_images([encode(crop.image, light) for crop in crops]),
        background=_images([encode(crop.background, light) for crop in crops]),
        mask=_images([crop.mask for crop in crops]),
        ray_origins=float_tensor(origins),
        ray_directions=float_tensor(directions),
        uv=float_tensor(np.stack([crop.uv for crop in crops])),
        cameras=float_tensor(turned),
        windows=float_tensor(np.array([crop.centered_window for crop in crops])),
        frame_sizes=float_tensor(np.array([crop.source.width for crop in crops])),
        frame=ModelFrame(rotation, Normalization((0.0, 0.0, 0.0), 1.0)),
    )


def camera_vector(camera_to_world: NDArray[Any], field_of_view: float) -> NDArray[np.float64]:
    """A camera as the release's 20 numbers.

    Returns:
        [20]: the rows of the 4x4 camera-to-world matrix, the horizontal field of view in radians
        twice, and 0.5, 0.5 for the principal point.
    """
    return np.concatenate([camera_to_world.ravel(), [field_of_view, field_of_view, 0.5, 0.5]])


def turn_cameras(cameras: NDArray[Any], rotation: NDArray[Any]) -> NDArray[np.float64]:
    """Camera vectors [I, 20] in the world turned by rotation^T."""
    turned = np.array(cameras, np.float64)
    upper = turned[:, :12].reshape(-1, 3, 4)
    turned[:, :12] = (rotation.T @ upper).reshape(-1, 12)
    return turned


def encode(image: NDArray[Any], light: Light) -> NDArray[Any]:
    """Colors in 0..1 of either light as sRGB in -1..1."""
    clipped = np.clip(image, 0.0, 1.0)
    signed: NDArray[Any] = 2.0 * (linear_to_srgb(clipped) if light == "linear" else clipped) - 1.0
    return signed


def float_tensor(array: NDArray[Any]) -> Tensor:
    """A float32 copy of an array."""
    return torch.from_numpy(np.array(array, np.float32))


def _images(images: Sequence[NDArray[Any]]) -> Tensor:
    return float_tensor(np.stack(images).transpose(0, 3, 1, 2))
