# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Golden cases of kind `attention_units`: every step of sparse attention, and one whole block."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from backend.model.attention import (
    Context,
    KeyValue,
    Queries,
    SparseAttention,
    TwoSidedAttention,
)
from backend.model.config.model_config import TransformerConfig
from backend.model.routing.routes import Plan, PlannedRoute, ScoreRoute
from backend.model.routing.tokens import Stream
from backend.model.transformer import Block
from backend.parallel.group import ALONE
from kernels.attention import log_sum_exp
from kernels.compressed_attention import block_scores
from kernels.compression import residual_module
from kernels.core.blocks import Blocks
from kernels.core.routing_plan import RoutingPlan
from kernels.gating import gated_sum
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
        fuse_dense=False,
    )


def _queries(case: Case, query: Tensor, tokens: Tensor, layout: Stream) -> Queries:
    return Queries(layer_norm(_heads(case, query)), tokens, layout)


def _keys(case: Case, layout: Stream) -> KeyValue:
    """The given raw keys and values."""
    key, value = case.inputs["k_raw"], case.inputs["v_raw"]
    return KeyValue(layer_norm(_heads(case, key)), _heads(case, value), key, layout)


def _heads(case: Case, stream: Tensor) -> Tensor:
    return stream.reshape(stream.shape[0], -1, _config(case).head_width)


def _units(case: Case) -> dict[str, Tensor]:
    given, config = case.inputs, _config(case)
    self_unit = SparseAttention(config, window=True)
    cross_unit = SparseAttention(config, window=False)
    for unit, out in ((self_unit, "attn_out3."), (cross_unit, "attn_out2.")):
        _load_unit(case, unit, out)
    blocks = Blocks(given["cu_block_include_tokens"], given["cu_seqblocks"])
    of_keys = Stream(blocks.token_offsets[blocks.instance_offsets.long()], blocks)
    of_queries = Stream(given["cu_seqlens_q"], None)
    keys = _keys(case, of_keys)
    own = _queries(case, given["qw_raw"], given["x_tokens_k"], of_keys)
    cross = _queries(case, given["q_raw"], given["x_tokens_q"], of_queries)
    context = Context({cross_unit: keys}, ALONE)
    route = PlannedRoute(RoutingPlan(of_queries.offsets, blocks, given["block_topk"]))
    compressed, selected = cross_unit.branches(cross, context, route)
    window = window_attention(own.query, keys.key, keys.value, of_keys.window)
    own_branches = given["comp_for_gate"], given["sel_for_gate"], window.flatten(1)
    tensors = {
        "q_norm": cross.query.flatten(1),
        "k_norm": keys.key.flatten(1),
        "qw_norm": own.query.flatten(1),
        "compressed_attn": compressed,
        "selected_attn": selected,
        "window_attn": window.flatten(1),
        "gate2_out": cross_unit(cross, context, route).compute(),
        "gate3_out": gated_sum(self_unit.gate(own.tokens), own_branches).compute(),
    }
    return tensors | _compression(self_unit, keys) | _lookups(case, self_unit, cross, keys)


def _compression(unit: SparseAttention, keys: KeyValue) -> dict[str, Tensor]:
    """The steps from tokens to one key and one value per block."""
    block_key, block_value = unit.compress(keys)
    return {
        "res_block_key": residual_module(keys.raw_key, unit.key_compression.perceptron),
        "compressed_k": unit.key_compression(keys.raw_key, keys.blocks),
        "compressed_k_norm": block_key.flatten(1),
        "compressed_v": block_value.flatten(1),
    }


def _lookups(
    case: Case, unit: SparseAttention, queries: Queries, keys: KeyValue
) -> dict[str, Tensor]:
    """Softmax denominators, a table that names blocks twice, and routing by score."""
    query, offsets, blocks = queries.query, queries.layout.offsets, keys.blocks
    block_key, _ = unit.compress(keys)
    selected = {
        name: selected_attention(query, keys.key, keys.value, RoutingPlan(offsets, blocks, table))
        for name, table in (
            ("once", case.inputs["block_topk"]),
            ("twice", case.inputs["block_topk_dup"]),
        )
    }
    route = ScoreRoute(queries.layout, blocks, case.config["topk"])
    table = route.plan_for(query, block_key).table
    if table is None:
        raise TypeError("a route by score has a block table")
    return {
        "selected_lse_log2": selected["once"][1],
        "selected_attn_duplicates": selected["twice"][0].flatten(1),
        "compressed_lse": log_sum_exp(query, block_key, offsets, blocks.instance_offsets),
        "score_block_topk": table,
    } | _scores(query, block_key, offsets, blocks)


def _load_unit(case: Case, unit: SparseAttention, out: str) -> None:
    """Compression and gate of one direction; the release keeps them in two modules."""
    released = "cross_blocks.0.crs_attn.x_2_x_attn_"
    prefixes = {"attn_in.": f"{released}in.", out: f"{released}out."}
    case.load_part(unit, prefixes, "blocks.0.attention.volume_to_volume.")


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
    if not isinstance(attention, TwoSidedAttention):
        raise TypeError("the stored block is two-sided")
    volume, image = (layer_norm(case.inputs[f"blk.{letter}"]) for letter in "xy")
    queries = {
        "volume": attention.volume.queries(volume, plan.volume),
        "image": attention.image.queries(image, plan.image),
    }
    keys = {
        "volume": attention.volume.keys(volume, plan.volume),
        "image": attention.image.keys(image, plan.image),
    }
    tensors: dict[str, Tensor] = {}
    for query, of_query in queries.items():
        letter = _LETTERS[query]
        tensors |= {f"q_{letter}": of_query.query, f"k_{letter}": keys[query].key}
        tensors[f"v_{letter}"] = keys[query].value
        for key, of_key in keys.items():
            unit, route = (getattr(each, f"{query}_to_{key}") for each in (attention, routes))
            context, name = Context({unit: of_key}, ALONE), f"{letter}_2_{_LETTERS[key]}"
            tensors[f"compressed_k_{name}"], tensors[f"compressed_v_{name}"] = context.blocks(unit)
            found = unit.branches(of_query, context, route)
            tensors |= {f"{name}.compressed": found[0], f"{name}.selection": found[1]}
            side = "self" if query == key else "cross"
            tensors[f"{letter}_{side}"] = unit(of_query, context, route).compute()
    return {f"blk.trace.{name}": tensor.flatten(1) for name, tensor in tensors.items()}
