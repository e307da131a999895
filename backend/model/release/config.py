# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sizes of a released checkpoint, from the arguments its training run left beside it."""

from __future__ import annotations

import argparse
import ast
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from ...shared.errors import CheckpointMismatch, CheckpointMissing
from ..config.presets import preset

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ..config.model_config import ModelConfig, StageConfig

Arguments = dict[str, Any]

_FEATURE_WIDTH = {"v3": 1280, "no": 0}
_RAYS: dict[str, Literal["plucker", "uv"]] = {"plucker": "plucker", "nocam": "uv"}


def read_arguments(path: Path) -> Arguments:
    """The content of an `args.txt`: JSON, a printed `Namespace(...)`, or `name: value` lines.

    Raises:
        CheckpointMissing: if there is no such file.
        CheckpointMismatch: if it holds no arguments.
    """
    try:
        text = path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        raise CheckpointMissing(
            f"There is no {path}.", "Download the whole folder; the sizes are in this file."
        ) from None
    except (OSError, ValueError) as error:
        raise CheckpointMismatch(
            f"{path} cannot be read: {error}.", "Download it again."
        ) from error
    arguments = _parse(text)
    if not arguments:
        raise CheckpointMismatch(f"{path} holds no arguments.", "Download it again.")
    return arguments


def _parse(text: str) -> Arguments:
    try:
        parsed = json.loads(text)
    except ValueError:
        pass
    else:
        return parsed if isinstance(parsed, dict) else {}
    if text.startswith("Namespace("):
        try:
            call = ast.parse(text, mode="eval").body
        except SyntaxError:
            return {}
        keywords = call.keywords if isinstance(call, ast.Call) else []
        return {k.arg: _literal(ast.unparse(k.value)) for k in keywords if k.arg}
    lines = re.findall(r"^\s*(?:--)?(\w+)\s*[:=\s]\s*(.*?)\s*$", text, re.MULTILINE)
    return {name: _literal(value) for name, value in lines}


def _literal(text: str) -> Any:
    """A value as Python or JSON writes it; what is neither stays text."""
    for parser in (ast.literal_eval, json.loads):
        try:
            return parser(text)
        except (ValueError, SyntaxError):
            continue
    return text


def pickled_arguments(content: Mapping[str, Any]) -> Arguments:
    """The arguments inside a checkpoint's pickle, empty if it has none."""
    arguments = content.get("args")
    return vars(arguments) if isinstance(arguments, argparse.Namespace) else {}


def released_config(dense: Arguments, sparse: Arguments, *, materials: bool) -> ModelConfig:
    """The configuration of a released checkpoint.

    Args:
        dense: arguments of the dense stage; absent ones have the defaults of its training program.
        sparse: arguments of the sparse stage; absent ones are as in the published scripts.
        materials: whether the decoder predicts materials instead of colors.

    Raises:
        CheckpointMismatch: for an architecture that is not built here.
    """
    base = preset("lsrm-pbr" if materials else "lsrm-rgb")
    # These two are missing only where an older program wrote the arguments, which had neither.
    dense = {"use_weight_norm": False, "use_decomposed_embed": False, **dense}
    sparse = {"end_sdf_inv_std": base.sparse.inverse_std, **sparse}
    try:
        stages = _stage(base.dense, dense), _stage(base.sparse, sparse)
        features = any(stage.encoder.feature_width for stage in stages)
        return replace(
            base,
            image_features="dinov3" if features else "none",
            dense=stages[0],
            sparse=stages[1],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointMismatch(
            f"The checkpoint was trained with arguments that LSRM does not support: {error}.",
            "Use the released checkpoints.",
        ) from error


def _stage(base: StageConfig, found: Arguments) -> StageConfig:
    transformer, encoder, decoder = base.transformer, base.encoder, base.decoder
    width = found.get("embed_dim", transformer.width)
    channels = found.get("volume_dim", transformer.output_width)
    features = found.get("use_dino", "v3")
    background = found.get("encode_background")
    return replace(
        base,
        inverse_std=float(found.get("end_sdf_inv_std", base.inverse_std)),
        encoder=replace(
            encoder,
            rays=_RAYS[found.get("mvencoder_type", "plucker")],
            patch_size=found.get("patch_size", encoder.patch_size),
            width=width,
            feature_width=_FEATURE_WIDTH[features],
            background=encoder.background if background is None else background != "none",
        ),
        transformer=replace(
            transformer,
            volume_resolution=found.get("volume_res", transformer.volume_resolution),
            upsample=found.get("volume_upsample_scale", transformer.upsample),
            width=width,
            output_width=channels,
            depth=found.get("transformer_depth", transformer.depth),
            query_heads=found.get("num_q_heads", transformer.query_heads),
            key_value_heads=found.get("num_kv_heads", transformer.key_value_heads),
            mlp_ratio=float(found.get("mlp_ratio", transformer.mlp_ratio)),
            skip_links=tuple(found.get("skip_links", transformer.skip_links)),
            weight_norm=found.get("use_weight_norm", transformer.weight_norm),
            axis_positions=found.get("use_decomposed_embed", transformer.axis_positions),
            fuse_dense=found.get("fuse_all_layers", transformer.fuse_dense)
            and transformer.attention == "sparse",
        ),
        decoder=replace(
            decoder,
            input_width=channels,
            width=found.get("mlp_dim", decoder.width),
            sdf_depth=found.get("mlp_geo_depth", decoder.sdf_depth),
            rgb_depth=found.get("mlp_depth", decoder.rgb_depth),
            material_depth=found.get("mlp_brdf_depth", decoder.material_depth),
        ),
    )
