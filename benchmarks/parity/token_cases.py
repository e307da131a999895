# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Golden cases of the tokens of the sparse stage: kinds `sparsify` and `routing`."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import torch

from backend.field.config import BOX_MARGIN
from backend.model.config.presets import preset
from backend.model.routing.release_cameras import Cameras
from backend.model.routing.routing import (
    ImageRouter,
    SurfaceMaps,
    block_centers,
    image_points,
    image_router,
    volume_points,
)
from backend.model.routing.routing_tables import SparseTokens, plan_by_geometry
from backend.model.routing.selection import (
    foreground_patches,
    grow_tokens,
    image_tokens,
    surface_tokens,
    upsample_image_feature,
    upsample_volume_feature,
    views_within,
    volume_tokens,
)
from backend.model.routing.tokens import block_order, blocks_in, blocks_of

from .case import Case, Produced, scalar
from .stage_cases import DIRECTIONS

if TYPE_CHECKING:
    from torch import Tensor

    from backend.model.config.model_config import ModelConfig

TIE = 1e-6  # below this gap between two distances, either block is right


def run_sparsify_case(case: Case) -> Produced:
    """Token masks, block order and features of the dense stage, for several settings."""
    tensors = {}
    for name, setting in case.config["settings"].items():
        for key, tensor in (_image_side(case) | _volume_side(case, setting)).items():
            tensors[f"{name}.{key}"] = tensor
    return Produced(tensors)


def _image_side(case: Case) -> dict[str, Tensor]:
    args, mask = case.config["args"], case.inputs["mask_input"]
    kept = foreground_patches(mask, args["patch_size"])
    views = views_within(kept, args.get("max_image_token_num"))
    kept = kept[:, :views]
    index = image_tokens(kept, args["block_size"])
    tensors = {
        "image_mask": kept.flatten(),
        "image_index": index.int(),
        "image_coords_idx": _permutation(kept, args["block_size"], volume=False),
        "actual_im_num": scalar(views),
    }
    for number in range(case.config["n_imfeat"]):
        feature = case.inputs[f"imfeat.{number}"]
        picked = upsample_image_feature(feature, index, mask.shape[1], kept.shape[-1])
        tensors[f"imfeat_sparse.{number}"] = picked
    return tensors


def _volume_side(case: Case, setting: dict[str, Any]) -> dict[str, Tensor]:
    args = case.config["args"]
    block, side = args["block_size"], args["volume_res"]
    sdf, alpha = (
        _cube(case.inputs[setting.get(short, full)])
        for short, full in (("sdf", "sdf_volume"), ("alpha", "alpha_volume"))
    )
    near = surface_tokens(sdf, alpha, side)
    kept = grow_tokens(near, alpha, setting["volume_dilation_radius"])
    index = volume_tokens(kept, block)
    return {
        "volume_mask_before_dilation": near,
        "volume_mask": kept.flatten(),
        "volume_index": index.int(),
        "volume_coords_idx": _permutation(kept, block, volume=True),
        "volfeat_sparse": upsample_volume_feature(case.inputs["volfeat"], index, side),
    }


def _cube(flat: Tensor) -> Tensor:
    side = round(flat.shape[1] ** (1 / 3))
    return flat.view(-1, side, side, side)


def _permutation(kept: Tensor, block_size: int, *, volume: bool) -> Tensor:
    return block_order(torch.nonzero(kept), block_size, volume=volume).int()


def run_routing_case(case: Case) -> Produced:
    """Block layout and the four block tables, with what led to them."""
    config = _config(case.config["args"])
    index = case.inputs["image_index"].long(), case.inputs["volume_index"].long()
    maps = SurfaceMaps(case.inputs["surface_points"], case.inputs["surface_opacity"][..., 0])
    tokens = SparseTokens(*index, maps.points.shape[0])
    cameras = _cameras(case)
    plan = plan_by_geometry(tokens, maps, cameras, config)
    tensors: dict[str, Tensor] = {}
    for direction, stored in DIRECTIONS.items():
        blocks = blocks_in(plan.volume if direction.endswith("volume") else plan.image)
        tensors |= {
            f"{stored}_attn.block_topk": getattr(plan.routes, direction).plan.table[0],
            f"{stored}_attn.cu_seqblocks": blocks.instance_offsets,
            f"{stored}_attn.cu_block_include_tokens": blocks.token_offsets,
        }
    for instance in range(tokens.instances):
        own = SurfaceMaps(maps.points[instance, None], maps.opacity[instance, None])
        trace = _trace(tokens.of(instance), own, cameras[instance], config)
        tensors |= {f"trace.{a}.b{instance}.{b}": t for (a, b), t in trace.items()}
    return Produced(tensors, _wrong_rows(case))


def _config(args: dict[str, Any]) -> ModelConfig:
    """A small preset with the settings of a case."""
    base = preset("tiny")
    low, high = args["input_image_res"]
    dense, sparse = (
        dataclasses.replace(
            stage,
            image_size=size,
            encoder=dataclasses.replace(stage.encoder, patch_size=args["patch_size"]),
            decoder=dataclasses.replace(stage.decoder, half_side=BOX_MARGIN * args["bbox_radius"]),
        )
        for stage, size in ((base.dense, low), (base.sparse, high))
    )
    transformer = dataclasses.replace(sparse.transformer, volume_resolution=args["volume_res"])
    return dataclasses.replace(
        base,
        radius=args["bbox_radius"],
        dense=dense,
        sparse=dataclasses.replace(sparse, transformer=transformer),
        selection=dataclasses.replace(base.selection, block_size=args["block_size"]),
        routing=dataclasses.replace(
            base.routing,
            volume_blocks=args["topk_volume"],
            image_blocks_per_view=args["topk_multiimage"],
            views=args["image_num_per_batch"],
            window=args["attn_winsize"],
        ),
    )


def _cameras(case: Case) -> tuple[Cameras, ...]:
    given = case.inputs
    if "crop_input" not in given:
        return tuple(Cameras(vectors) for vectors in given["cameras_input"])
    # The release measures every frame by the height of the first one.
    return tuple(
        Cameras(vectors, windows, size[0].expand(len(vectors)))
        for vectors, windows, size in zip(
            given["cameras_input"], given["crop_input"], given["origin_size"], strict=True
        )
    )


def _trace(
    tokens: SparseTokens, maps: SurfaceMaps, cameras: Cameras, config: ModelConfig
) -> dict[tuple[str, str], Tensor]:
    """The steps of one instance, by (direction, name)."""
    resolution = config.sparse.transformer.volume_resolution
    at_volume = volume_points(tokens.volume, resolution, config.half_side)
    at_image = image_points(tokens.image, maps, config.sparse.patches_per_side)
    blocks = blocks_of(tokens.volume, config.selection.block_size, 1, volume=True)
    router = image_router(tokens.image[:, 1:], maps, cameras, config)
    trace: dict[tuple[str, str], Tensor] = {}
    for letter, query in (("v", at_volume), ("i", at_image)):
        trace[f"{letter}2v", "block_centers"] = block_centers(at_volume, blocks)
        trace[f"{letter}2v", "query_points"] = query
        trace[f"{letter}2i", "query_points"] = query
        for name, tensor in _view_trace(router, query).items():
            trace[f"{letter}2i", name] = tensor
    return trace


def _view_trace(router: ImageRouter, query: Tensor) -> dict[str, Tensor]:
    trace: dict[str, Tensor] = {}
    first = 0
    for view in router.views:
        near = router.candidates(query, view)
        name = f"view{view.number}"
        trace[f"{name}.block_xy"] = router.block_coordinates(query, view)
        trace[f"{name}.window_blocks"] = (near + first).int()
        trace[f"{name}.window_dist"] = router.surface_distance(query, view, near)
        first += view.index.shape[0]
    return trace


def _wrong_rows(case: Case) -> dict[str, Any]:
    """Tables are compared row by row as sets, tied rows by distance."""
    expected, wrong_rows = case.expected, {}
    for direction, stored in DIRECTIONS.items():
        short = f"{direction[0]}2{direction.split('_')[2][0]}"
        if direction.endswith("volume"):
            tied = expected[f"margin.{short}"] < TIE
            wrong_rows[f"{stored}_attn.block_topk"] = _by_distance(_distances(case, short), tied)
        else:
            kinds = ("final", "window")
            gap = torch.stack([expected[f"margin.{short}.{kind}"] for kind in kinds]).amin(0)
            wrong_rows[f"{stored}_attn.block_topk"] = _by_set(gap < TIE)
    for name in expected:
        if name.endswith("window_blocks"):
            margin = expected[name.replace("window_blocks", "window_margin")]
            wrong_rows[name] = _by_set(margin < TIE)
    return wrong_rows


def _distances(case: Case, short: str) -> Tensor:
    """Query to block distances of a volume-key direction, [queries, blocks + 1], last for id -1."""
    rows, width = [], 0
    for instance in range(case.inputs["cameras_input"].shape[0]):
        name = f"trace.{short}.b{instance}"
        points, centers = (case.expected[f"{name}.{k}"] for k in ("query_points", "block_centers"))
        rows.append(torch.cdist(points, centers, compute_mode="donot_use_mm_for_euclid_dist"))
        width = max(width, centers.shape[0])
    pad = torch.nn.functional.pad
    return torch.cat([pad(row, (0, width + 1 - row.shape[1]), value=torch.inf) for row in rows])


def _by_distance(distances: Tensor, tied: Tensor) -> Any:
    def wrong(found: Tensor, wanted: Tensor) -> int:
        far = [
            distances.gather(1, t.long() % distances.shape[1]).sort(1)[0] for t in (found, wanted)
        ]
        near = torch.isclose(far[0], far[1], rtol=0, atol=TIE).all(1)
        same = (found.sort(1)[0] == wanted.sort(1)[0]).all(1)
        return int((~(same | (tied & near))).sum())

    return wrong


def _by_set(tied: Tensor) -> Any:
    def wrong(found: Tensor, wanted: Tensor) -> int:
        same = (found.sort(1)[0] == wanted.sort(1)[0]).all(1)
        padded_last = ((found < 0).int().diff(dim=1) >= 0).all(1)
        return int((~((same | tied) & padded_last)).sum())

    return wrong
