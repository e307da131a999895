# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Golden cases of the field: kinds `volsdf_dense`, `volsdf_sparse` and `render`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from backend.field.config import DecoderConfig, Prediction
from backend.field.decoders import MlpDecoder
from backend.field.density import render_step, step_alpha
from backend.field.field import Field, TwoLevelField, VolumeField
from backend.field.grids import distances_by_plane, grid_points
from backend.field.ray_sampling import Occupancy, RaySampler
from backend.field.renderer import absorb
from backend.field.volumes import DenseVolume, SparseVolume
from backend.mesh.network_surface import EMPTY, REACH
from kernels.core.sparse_grid import Bricks

from .case import Case, Produced

if TYPE_CHECKING:
    from torch import Tensor


def run_volsdf_dense_case(case: Case) -> Produced:
    """One dense volume: features, distances, colors and opacities at points and on grids."""
    config, points = case.config, case.inputs["positions"]
    decoder = _decoder(case, "volsdf")
    half_side, sharp = decoder.config.half_side, config["inv_std_dense"]
    field = VolumeField(DenseVolume(case.inputs["volume"][0], half_side), decoder, sharp)
    with torch.no_grad():
        sdf, image = field.signed_distance(points)[:, None], field.appearance(points)
        zyx = grid_points(half_side, config["grid_N"], "zyx")
        planes = [plane for _, plane in distances_by_plane(field, half_side, config["grid_N"])]
        grid = torch.cat(planes)[None, :, None]
        xyz = grid_points(half_side, config["grid_N"], "xyz")
        tensors = {
            "feature": field.volume.sample(points),
            "sdf": sdf,
            "image": image,
            "all": torch.cat([sdf, image], 1),
            "grid_sdf_reverse": grid,
            "grid_points_reverse": zyx[None],
            "grid_alpha_reverse": step_alpha(grid, sharp, _inference_step(config)),
            "grid_sdf_forward": field.signed_distance(xyz)[None, :, None],
        }
    for name, step in config["step_sizes"].items():
        for inverse_std in config["inv_std"]:
            tensors[f"alpha.{name}.inv{inverse_std}"] = step_alpha(sdf, inverse_std, step)
    return Produced(tensors)


def _inference_step(config: dict[str, Any]) -> float:
    """The step of the selection grid, among steps that are named by their use."""
    (step,) = (step for name, step in config["step_sizes"].items() if name.startswith("infer"))
    return float(step)


def run_volsdf_sparse_case(case: Case) -> Produced:
    """The sparse volume over the dense one, point by point and on the mesh grid."""
    points, step = case.inputs["positions"], case.config["step_size"]
    tensors = {}
    with torch.no_grad():
        for instance in range(case.config["batch_size"]):
            for name, tensor in _two_levels(_field(case, instance), points, step).items():
                tensors[f"b{instance}.{name}"] = tensor
        field = _field(case, 0)
        half_side = case.config["volsdf"]["radius"]
        grid = grid_points(half_side, case.config["mesh_N"], "xyz")
        sdf = field.signed_distance(grid)
        cells = case.inputs["occ_binaries"][0].permute(2, 1, 0)
        occupied = Occupancy(cells, half_side).dilated(REACH).contains(grid)
        tensors["mesh_sdf_raw"] = sdf[None, :, None]
        tensors["mesh_sdf_occ"] = torch.where(occupied, sdf, EMPTY)[None, :, None]
    return Produced(tensors)


def _two_levels(field: TwoLevelField, points: Tensor, step: float) -> dict[str, Tensor]:
    sdf, image = field.signed_distance(points)[:, None], field.appearance(points)
    return {
        "feature": field.sparse.volume.sample(points),
        "sparse_sdf": field.sparse.signed_distance(points)[:, None],
        "sparse_image": field.sparse.appearance(points),
        "dense_sdf": field.coarse.signed_distance(points)[:, None],
        "dense_image": field.coarse.appearance(points),
        "is_sparse": field.in_sparse_volume(points),
        "combined_all": torch.cat([sdf, image], 1),
        "combined_image": image,
        "combined_alpha": (1 - torch.exp(-step * field.density(points)))[:, None],
    }


def run_render_case(case: Case) -> Produced:
    """Marching and compositing, through the dense field and through both levels."""
    field, half_side = _field(case, 0), case.config["volsdf"]["radius"]
    tensors = {}
    levels: dict[str, Field] = {"dense": field.coarse, "sparse": field}
    with torch.no_grad():
        for name, level in levels.items():
            step = render_step(half_side, case.config[f"samples_{name}"])
            for key, tensor in _rendered(case, level, RaySampler(half_side, step)).items():
                tensors[f"{name}.{key}"] = tensor
    return Produced(tensors)


def _rendered(case: Case, field: Field, sampler: RaySampler) -> dict[str, Tensor]:
    views, height, width = case.inputs["rays_o"].shape[:3]
    origins, directions = (case.inputs[name].view(-1, 3) for name in ("rays_o", "rays_d"))
    forward = -case.inputs["cameras"][:, :16].view(-1, 4, 4)[:, :3, 2]
    forward = forward.repeat_interleave(height * width, 0)
    light = absorb(field, origins, directions, sampler)
    image = 2 * light.over_white(field.appearance(light.samples.points)) - 1
    per_ray = {
        "opacity": light.opacity[:, None],
        "points": light.surface_points(),
        "valid_mask": light.valid.float()[:, None],
        "image": image,
        "depth": light.depth(origins, forward)[:, None],
    }
    return {
        "ray_indices": light.samples.ray.int(),
        "t_starts": light.samples.start,
        "t_ends": light.samples.end,
        "alpha": light.alpha,
        "weights": light.weights,
    } | {name: t.view(views, height, width, -1) for name, t in per_ray.items()}


def _field(case: Case, instance: int) -> TwoLevelField:
    decoder, coarse_decoder = _decoder(case, "volsdf"), _decoder(case, "volsdf_dense")
    first, last = case.inputs["cu_seqlens"][instance : instance + 2].tolist()
    dense = DenseVolume(case.inputs["dense_feat"][instance], decoder.config.half_side)
    rows, index = case.inputs["sparse_feat"][first:last], case.inputs["index_volume"][instance]
    return TwoLevelField(
        VolumeField(dense, coarse_decoder, case.config["inv_std_dense"]),
        VolumeField(SparseVolume(rows, Bricks(index), dense), decoder, case.config["inv_std"]),
    )


def _decoder(case: Case, module: str) -> MlpDecoder:
    given: dict[str, Any] = case.config[module]
    predictions: dict[str, Prediction] = {"rgb": "rgb", "brdf": "pbr", "both": "both"}
    decoder = MlpDecoder(
        DecoderConfig(
            input_width=given["input_dim"],
            width=given["dim"],
            sdf_depth=given["sdf_depth"],
            rgb_depth=given["rgb_depth"],
            material_depth=given["brdf_depth"],
            prediction=predictions[given["prediction_type"]],
            half_side=given["radius"],
        )
    )
    case.load(decoder, f"{module}.", "decoder")
    return decoder
