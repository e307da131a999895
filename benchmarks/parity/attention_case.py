# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Golden cases of kind `attention_units`: every step of sparse attention, and one whole block."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from backend.model.attention import Projection, SparseAttention
from backend.model.config.model_config import TransformerConfig
from backend.model.routing.tokens import Plan, Stream
from backend.model.transformer import Block
from kernels.attention import log_sum_exp
from kernels.block_mean import block_mean
from kernels.compressed_attention import block_scores, compressed_attention, select_by_score
from kernels.core.blocks import Blocks
from kernels.core.routing_plan import RoutingPlan
from kernels.layer_norm import layer_norm
from kernels.selected_attention import selected_attention
from kernels.window_attention import window_attention

from .case import Case, Produced
from .stage_cases import stored_blocks, stored_routes

if TYPE_CHECKING:
    from torch import Tensor

_LETTERS = {"volume": "x", "image": "y"}


def run_attention_case(case: Case) -> Produced:
    """The units on given queries and keys, then a two-sided block."""
    with torch.no_grad():
        return Produced(_units(case) | _block(case))


def _config(case: Case) -> TransformerConfig:
    given = case.config
    return TransformerConfig(
        attention="sparse",
        volume_resolution=1,
        upsample=1,
        width=given["dim"],
        output_width=1,
        depth=1,
        query_heads=given["num_q_heads"],
        key_value_heads=given["num_kv_heads"],
        mlp_ratio=given["mlp_ratio"],
        skip_links=(),
        weight_norm=any("parametrizations" in name for name in case.weights),
        axis_positions=False,
        fuse_prior=False,
    )


def _projection(case: Case, query: Tensor, stream: Tensor, layout: Stream) -> Projection:
    """Given raw queries with the given raw keys and values."""
    width = _config(case).head_width

    def heads(tensor: Tensor) -> Tensor:
        return tensor.reshape(tensor.shape[0], -1, width)

    key, value = case.inputs["k_raw"], case.inputs["v_raw"]
    return Projection(
        stream, layer_norm(heads(query)), layer_norm(heads(key)), heads(value), key, layout
    )


def _units(case: Case) -> dict[str, Tensor]:
    given, config = case.inputs, _config(case)
    self_unit = SparseAttention(config, window=True)
    cross_unit = SparseAttention(config, window=False)
    for unit, out in ((self_unit, "attn_out3."), (cross_unit, "attn_out2.")):
        _load_unit(case, unit, out)
    blocks = Blocks(given["cu_block_include_tokens"], given["cu_seqblocks"])
    of_keys = Stream(blocks.token_offsets[blocks.instance_offsets.long()], blocks)
    own = _projection(case, given["qw_raw"], given["x_tokens_k"], of_keys)
    asking = _projection(
        case, given["q_raw"], given["x_tokens_q"], Stream(given["cu_seqlens_q"], None)
    )
    query, offsets = asking.query, given["cu_seqlens_q"]
    if query is None or own.query is None:
        raise TypeError("both projections were given queries")
    residual = self_unit.key_compression(given["k_raw"])
    coarse_key, coarse_value = self_unit.compress(own)
    tables = {"": given["block_topk"], "_duplicates": given["block_topk_dup"]}
    plan, itself = RoutingPlan(offsets, blocks), RoutingPlan(of_keys.offsets, blocks)
    selected = {
        name: selected_attention(query, own.key, own.value, RoutingPlan(offsets, blocks, table))
        for name, table in tables.items()
    }
    compressed = compressed_attention(query, coarse_key, coarse_value, plan).flatten(1)
    window = window_attention(own.query, own.key, own.value, itself).flatten(1)
    cross = compressed, selected[""][0].flatten(1)
    own_branches = given["comp_for_gate"], given["sel_for_gate"], window
    tensors = {
        "res_block_key": residual,
        "compressed_k": block_mean(residual, blocks),
        "compressed_v": coarse_value.flatten(1),
        "q_norm": query.flatten(1),
        "k_norm": own.key.flatten(1),
        "qw_norm": own.query.flatten(1),
        "compressed_k_norm": coarse_key.flatten(1),
        "selected_lse_log2": selected[""][1],
        "compressed_attn": compressed,
        "compressed_lse": log_sum_exp(query, coarse_key, offsets, blocks.instance_offsets),
        "score_block_topk": select_by_score(
            query, coarse_key, offsets, blocks, case.config["topk"]
        ),
        "window_attn": window,
        "gate3_out": self_unit.mix(given["x_tokens_k"], own_branches),
        "gate2_out": cross_unit.mix(given["x_tokens_q"], cross),
    }
    tensors |= {f"selected_attn{name}": out.flatten(1) for name, (out, _) in selected.items()}
    return tensors | _scores(query, coarse_key, offsets, blocks)


def _load_unit(case: Case, unit: SparseAttention, out: str) -> None:
    """Compression and gate of a lone direction; the release keeps them in two modules."""
    place = "cross_blocks.0.crs_attn.x_2_x_attn_"
    places = {"attn_in.": f"{place}in.", out: f"{place}out."}
    case.load_part(unit, places, "blocks.0.attention.volume_to_volume.")


def _scores(query: Tensor, key: Tensor, offsets: Tensor, blocks: Blocks) -> dict[str, Tensor]:
    tensors = {}
    for instance in range(len(offsets) - 1):
        q0, q1 = offsets[instance : instance + 2].tolist()
        k0, k1 = blocks.instance_offsets[instance : instance + 2].tolist()
        for head, scores in enumerate(block_scores(query[q0:q1], key[k0:k1])):
            tensors[f"score.b{instance}.h{head}"] = scores
    return tensors


def _block(case: Case) -> dict[str, Tensor]:
    block = Block(_config(case), two_sided=True)
    case.load_part(block, {"block.": "cross_blocks.0."}, "blocks.0.")
    given = case.inputs
    of_volume = Stream(given["blk.cu_seqlens_x"], stored_blocks(case, "vol_to_vol", "blk."))
    of_image = Stream(given["blk.cu_seqlens_y"], stored_blocks(case, "img_to_img", "blk."))
    plan = Plan(of_volume, of_image, stored_routes(case, of_volume, of_image, "blk."))
    volume, image = block(given["blk.x"], given["blk.y"], plan)
    return {"blk.x": volume, "blk.y": image} | _block_trace(case, block, plan)


def _block_trace(case: Case, block: Block, plan: Plan) -> dict[str, Tensor]:
    attention, routes = block.attention, plan.routes
    streams = {
        "volume": attention.volume.project(layer_norm(case.inputs["blk.x"]), plan.volume),
        "image": attention.image.project(layer_norm(case.inputs["blk.y"]), plan.image),
    }
    tensors = {}
    for query, asking in streams.items():
        letter = _LETTERS[query]
        if asking.query is not None:
            tensors[f"q_{letter}"] = asking.query
        tensors |= {f"k_{letter}": asking.key, f"v_{letter}": asking.value}
        for key, seen in streams.items():
            unit = getattr(attention, f"{query}_to_{key}")
            route = getattr(routes, f"{query}_to_{key}")
            name = f"{letter}_2_{_LETTERS[key]}"
            tensors[f"compressed_k_{name}"], tensors[f"compressed_v_{name}"] = unit.compress(seen)
            found = unit.branches(asking, seen, route)
            tensors |= {f"{name}.compressed": found[0], f"{name}.selection": found[1]}
            side = "self" if query == key else "cross"
            tensors[f"{letter}_{side}"] = unit(asking, seen, route).total()
    return {f"blk.trace.{name}": tensor.flatten(1) for name, tensor in tensors.items()}
