# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Golden cases of kind `preprocess`: scenes on disk to tensors under the release's names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from backend.model.release.captures import ReleaseCapture, ReleaseSettings, read_real
from backend.model.release.rig import read_rig
from backend.shared.cameras import pinhole_ray

from .case import Case, Produced

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from backend.model.preprocess import CroppedView, ViewTensors

READERS = {"real": read_real, "rig": read_rig}


def run_preprocess_case(case: Case) -> Produced:
    """Read every scene with every setting of the case; names are `<setting>.<released name>`."""
    tensors = {}
    for setting, options in case.config["settings"].items():
        capture = READERS[options["kind"]](case.folder / options["capture"], _settings(options))
        for name, tensor in _named(capture, options).items():
            tensors[f"{setting}.{name}"] = tensor
    return Produced(tensors)


def _settings(options: dict[str, Any]) -> ReleaseSettings:
    chosen = options.get("eva_input_views")
    return ReleaseSettings(
        image_size=options["input_image_res"],
        view_count=options["input_image_num"],
        output_size=options["output_image_res"],
        output_count=options.get("output_image_num"),
        relative_pose=options["relative_cam_pose"],
        crop=options["centralized_cropping"],
        normalize_exposure=options.get("normalized_input", False),
        input_views=None if chosen is None else tuple(chosen),
        output_views=tuple(options.get("eva_output_views", ())),
    )


def _named(capture: ReleaseCapture, options: dict[str, Any]) -> dict[str, Tensor]:
    inputs, low = capture.inputs, capture.inputs.downsampled(options["low_res"])
    origins, directions = low.surface_rays(options["input_image_res"] // 2)
    tensors = _inputs(inputs) | {f"low.{name}": value for name, value in _inputs(low).items()}
    tensors |= {
        "plucker": inputs.plucker(),
        "low.plucker": low.plucker(),
        "points.rays_o_input": origins,
        "points.rays_d_input": directions,
        "cameras_input": inputs.cameras,
        "rays_d_un_input": _unnormalized(capture),
        "K_input": torch.tensor(np.stack([_pinhole(crop) for crop in capture.crops])).float(),
        "rays_o_output": capture.targets.ray_origins,
        "rays_d_output": capture.targets.ray_directions,
        "cameras_output": capture.targets.cameras,
    }
    tensors |= _release_types(capture, options)
    pictures = {"rgb_output": capture.targets.rgb, "mask_output": capture.targets.mask}
    return tensors | {name: value for name, value in pictures.items() if value is not None}


def _inputs(views: ViewTensors) -> dict[str, Tensor]:
    return {
        "rgb_input": views.rgb,
        "bgs_input": views.background,
        "mask_input": views.mask,
        "rays_o_input": views.ray_origins,
        "rays_d_input": views.ray_directions,
        "uv_input": views.uv,
    }


def _release_types(capture: ReleaseCapture, options: dict[str, Any]) -> dict[str, Tensor]:
    """Tensors whose number type in the release depends on the layout of the scene."""
    real = options["kind"] == "real"
    kind = torch.float32 if real else torch.int64
    rotation = torch.tensor(capture.inputs.frame.rotation)
    windows = [(w.top, w.bottom, w.left, w.right) for w in (c.window for c in capture.crops)]
    return {
        "crop_input": torch.tensor(windows, dtype=kind),
        "origin_size": torch.tensor(capture.origin_size, dtype=kind),
        "init_cam_rot": rotation if real else rotation.float(),
    }


def _unnormalized(capture: ReleaseCapture) -> Tensor:
    """Directions that advance by one along the optical axis, from the resized coordinates.

    They are linear in the coordinates, so resizing before or after is the same.
    """
    rays = []
    for crop in capture.crops:
        view = crop.source
        u = 0.5 * (crop.uv[..., 0] + 1.0) * view.width
        v = 0.5 * (crop.uv[..., 1] + 1.0) * view.height
        x, y = pinhole_ray(u, v, view)
        local = np.stack([x, y, -np.ones_like(x)], axis=-1)
        rays.append(local @ crop.camera_to_world[:3, :3].T)
    return torch.tensor(np.stack(rays) @ capture.inputs.frame.rotation).float()


def _pinhole(crop: CroppedView) -> NDArray[np.float64]:
    """The release's K: all of it scaled by the resize, the last 1 too, nothing shifted."""
    view = crop.source
    matrix = np.array([[view.fx, 0.0, view.cx], [0.0, view.fy, view.cy], [0.0, 0.0, 1.0]])
    return matrix * (len(crop.mask) / crop.window.side)
