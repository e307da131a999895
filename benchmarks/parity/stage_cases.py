# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Golden cases of whole stages: kinds `dense` and `sparse`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import torch

from backend.field.config import HALF_SIDE, DecoderConfig
from backend.model.config.model_config import EncoderConfig, StageConfig, TransformerConfig
from backend.model.encoder import EncoderInputs
from backend.model.routing.routes import BlockTables, Plan, Routes
from backend.model.routing.routing_tables import SparseTokens
from backend.model.routing.tokens import Stream, instance_offsets
from backend.model.stage import SparseBatch, SparseResult, Stage, run_dense, run_sparse
from backend.model.stage_fusion import DenseFeatures
from kernels.core.blocks import Blocks

from .case import Case, Produced

if TYPE_CHECKING:
    from torch import Tensor

# Query stream, key stream: how cases abbreviate them.
DIRECTIONS = {
    "volume_to_volume": "vol_to_vol",
    "volume_to_image": "vol_to_img",
    "image_to_image": "img_to_img",
    "image_to_volume": "img_to_vol",
}


def run_dense_case(case: Case) -> Produced:
    """Encoder and transformer of the dense stage."""
    stage = _stage(case, "dense")
    trace = _Trace(stage)
    with torch.no_grad():
        result = run_dense(stage, _inputs(case))
    instances = result.volume.shape[0]
    tensors = {
        "tokens": trace.values["tokens"],
        "trace.x_init": trace.values["x_init"],
        "volume": result.volume,
        "x_feature": result.volume_feature,
    } | {f"y_list.{i}": feature for i, feature in enumerate(result.image_features)}
    tensors |= {f"trace.{name}": value for name, value in trace.values.items()}
    packed = ("tokens", "trace.")
    return Produced(
        {
            name: t.view(instances, -1, t.shape[-1]) if name.startswith(packed) else t
            for name, t in tensors.items()
        }
    )


def run_sparse_case(case: Case) -> Produced:
    """Encoder and transformer of the sparse stage, for stored tokens."""
    stage = sparse_stage(case)
    trace = _Trace(stage)
    with torch.no_grad():
        result = run_sparse(stage, sparse_batch(case))
    tensors = {f"trace.{name}": value for name, value in trace.values.items()}
    return Produced(
        tensors
        | trace.tables
        | {
            "tokens": trace.values["tokens"],
            "sparse_feat": result.rows,
            "cu_seqlens": result.offsets.int(),
            "seqlens": result.offsets.diff().int(),
            "index_volume": _row_of_every_voxel(result),
        }
    )


def sparse_stage(case: Case) -> Stage:
    """The stage of a case of kind `sparse`, with its weights."""
    return _stage(case, "sparse")


def sparse_batch(case: Case) -> SparseBatch:
    """What the stage of a case of kind `sparse` reads."""
    inputs = _inputs(case)
    index = case.inputs["image_index"].long(), case.inputs["volume_index"].long()
    tokens = SparseTokens(*index, inputs.instances)
    return SparseBatch(inputs, tokens, _plan(case, tokens), _dense_features(case))


def _row_of_every_voxel(result: SparseResult) -> Tensor:
    """Its row inside the instance, -1 where none is kept, [instances, z, y, x] int32."""
    grids = []
    for instance in range(len(result.numbers)):
        _, bricks = result.of(instance)
        axis = torch.arange(bricks.resolution, dtype=torch.int32)
        grids.append(bricks.rows(axis.expand(1, 3, -1)).view(3 * axis.shape))
    return torch.stack(grids)


class _Trace:
    """Records the outputs of a stage's modules while it runs, by forward hooks.

    Attributes:
        values: outputs by the names that cases store them under.
        tables: the block tables of the first block of a sparse stage.
    """

    def __init__(self, stage: Stage) -> None:
        self.values: dict[str, Tensor] = {}
        self.tables: dict[str, Tensor] = {}
        transformer = stage.transformer
        self._record(stage.encoder, "tokens")
        self._record(transformer.positions, "x_init")
        self._record(transformer.norm, "x_final_normed")
        for number, block in enumerate(transformer.blocks):
            self._record(block, f"block{number}.x", f"block{number}.y")
        for number, block in enumerate(transformer.skip_blocks):
            self._record(block, f"skip{number}.x")
        if stage.config.transformer.attention == "sparse":
            for name, stored in DIRECTIONS.items():
                direction = getattr(transformer.blocks[0].attention, name)
                self._record_table(direction, f"block0.score_topk.{stored}")

    def _record(self, module: torch.nn.Module, *names: str) -> None:
        def record(_module: torch.nn.Module, _arguments: Any, output: Any) -> None:
            outputs = output if isinstance(output, tuple) else (output,)
            self.values |= dict(zip(names, outputs, strict=False))

        module.register_forward_hook(record)

    def _record_table(self, direction: torch.nn.Module, name: str) -> None:
        def record(module: Any, arguments: Any, _output: Any) -> None:
            queries, context, route = arguments
            block_key, _ = context.blocks(module)
            self.tables[name] = route.plan_for(queries.query, block_key).table

        direction.register_forward_hook(record)


def _stage(case: Case, attention: Any) -> Stage:
    encoder, decoder = case.config["encoder"], case.config["decoder"]
    config = StageConfig(
        image_size=case.inputs["rgb"].shape[-1],
        encoder=EncoderConfig(
            rays="uv" if encoder["mvencoder_type"] == "nocam" else "plucker",
            patch_size=encoder["patch_size"],
            width=encoder["embed_dim"],
            feature_width=encoder["feature_dim"] or 0,
            background=encoder["with_bg"],
        ),
        transformer=transformer_config(decoder, attention),
        decoder=DecoderConfig(decoder["output_dim"], 1, 0, 0, 0, "rgb", HALF_SIDE),
        inverse_std=1.0,
        samples_per_ray=1,
    )
    stage = Stage(config)
    case.load(stage.encoder, "mvencoder.", "encoder")
    case.load(stage.transformer, "voldecoder.", "transformer")
    return stage


def transformer_config(decoder: dict[str, Any], attention: Any) -> TransformerConfig:
    """The configuration for the settings that a case has under `decoder`."""
    return TransformerConfig(
        attention=attention,
        volume_resolution=decoder["vol_res"],
        upsample=decoder["upsample_scale"],
        width=decoder["embed_dim"],
        output_width=decoder["output_dim"],
        depth=decoder["depth"],
        query_heads=decoder["num_q_heads"],
        key_value_heads=decoder["num_kv_heads"],
        mlp_ratio=decoder["mlp_ratio"],
        skip_links=tuple(decoder["skip_links"]),
        weight_norm=decoder["use_weight_norm"],
        axis_positions=decoder["use_decomposed_embed"],
        fuse_dense=decoder.get("fuse_all_layers", False),
    )


def _inputs(case: Case) -> EncoderInputs:
    given = case.inputs
    rays = given["uv" if case.config["encoder"]["mvencoder_type"] == "nocam" else "plucker"]
    return EncoderInputs(given["rgb"], rays, given.get("bg"), given.get("feature"))


def _dense_features(case: Case) -> DenseFeatures | None:
    if "volfeat_sparse" not in case.inputs:
        return None
    maps = {n: t for n, t in case.inputs.items() if re.fullmatch(r"imfeat_sparse\.\d+", n)}
    ordered = [maps[name] for name in sorted(maps, key=lambda name: int(name.split(".")[-1]))]
    return DenseFeatures(case.inputs["volfeat_sparse"], torch.cat(ordered, -1))


def _plan(case: Case, tokens: SparseTokens) -> Plan:
    volume, image = (
        Stream(instance_offsets(index, tokens.instances), stored_blocks(case, direction))
        for index, direction in ((tokens.volume, "vol_to_vol"), (tokens.image, "img_to_img"))
    )
    return Plan(volume, image, stored_routes(case, volume, image))


def stored_blocks(case: Case, direction: str, prefix: str = "") -> Blocks:
    """The blocks of the key stream of a direction."""
    name = f"{prefix}{direction}_attn"
    return Blocks(
        case.inputs[f"{name}.cu_block_include_tokens"], case.inputs[f"{name}.cu_seqblocks"]
    )


def stored_routes(case: Case, volume: Stream, image: Stream, prefix: str = "") -> Routes:
    """The block tables of a case, or the counts for routing by score."""
    names = [f"{prefix}{stored}_attn.block_topk" for stored in DIRECTIONS.values()]
    if names[0] not in case.inputs:
        of_volume = case.config["decoder"]["topk_volume"]
        of_image = case.config["decoder"]["topk_multiimage"] * case.config["im_num"]
        return Routes.by_score(volume, image, volume_blocks=of_volume, image_blocks=of_image)
    a, b, c, d = (case.inputs[name].view(-1, *case.inputs[name].shape[-2:]) for name in names)
    return Routes.from_tables(volume, image, BlockTables(a, b, c, d))
