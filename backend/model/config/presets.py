# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sizes of the released checkpoints, lsrm-rgb and lsrm-pbr, and of tiny, for tests."""

from __future__ import annotations

import dataclasses

from ...field.config import HALF_SIDE, DecoderConfig
from ...shared.cameras import MODEL_RADIUS
from .model_config import (
    EncoderConfig,
    ModelConfig,
    RoutingConfig,
    SelectionConfig,
    StageConfig,
    TransformerConfig,
)

PRESETS = ("lsrm-rgb", "lsrm-pbr", "tiny")


def preset(name: str) -> ModelConfig:
    """The configuration of a named checkpoint.

    The sizes of the released dense stages are the likely ones: their args.txt is not published.
    Converting a checkpoint reads them from that file.

    Raises:
        ValueError: for a name that is not in `PRESETS`.
    """
    if name not in PRESETS:
        raise ValueError(f"no preset {name!r}; there are {', '.join(PRESETS)}")
    return _tiny() if name == "tiny" else _released(name)


def _released(name: str) -> ModelConfig:
    materials = name == "lsrm-pbr"
    encoder = EncoderConfig(
        rays="plucker", patch_size=8, width=1024, feature_width=1280, background=materials
    )
    transformer = TransformerConfig(
        attention="dense",
        volume_resolution=16,
        upsample=4,
        width=1024,
        output_width=32,
        depth=24,
        query_heads=32,
        key_value_heads=2,
        mlp_ratio=4.0,
        skip_links=(17, 11, 4),
        weight_norm=True,
        axis_positions=True,
        fuse_dense=False,
    )
    decoder = DecoderConfig(
        input_width=32,
        width=32,
        sdf_depth=2,
        rgb_depth=3,
        material_depth=3,
        prediction="pbr" if materials else "rgb",
        half_side=HALF_SIDE,
    )
    dense = StageConfig(256, encoder, transformer, decoder, inverse_std=200.0, samples_per_ray=256)
    sparse_transformer = dataclasses.replace(
        transformer, attention="sparse", volume_resolution=96, fuse_dense=True
    )
    return ModelConfig(
        name=name,
        radius=MODEL_RADIUS,
        image_features="dinov3",
        compositing="linear" if materials else "display",
        relative_pose=True,
        dense=dense,
        sparse=dataclasses.replace(
            dense, image_size=768, transformer=sparse_transformer, samples_per_ray=1024
        ),
        selection=SelectionConfig(block_size=8, volume_dilation=3, max_image_tokens=None),
        routing=RoutingConfig(
            geometric=True,
            volume_blocks=16,
            image_blocks_per_view=4,
            views=18 if materials else 16,
            window=3,
        ),
    )


def _tiny() -> ModelConfig:
    """Small enough for two CPU cores and for the repository: 128 px views, 128^3 voxels."""
    large = _released("lsrm-rgb")
    encoder = dataclasses.replace(large.dense.encoder, width=256, feature_width=0)
    transformer = dataclasses.replace(
        large.dense.transformer,
        width=256,
        depth=4,
        query_heads=16,
        skip_links=(1,),
        weight_norm=False,
    )
    dense = dataclasses.replace(
        large.dense, image_size=128, encoder=encoder, transformer=transformer, samples_per_ray=128
    )
    sparse_transformer = dataclasses.replace(
        transformer,
        attention="sparse",
        volume_resolution=32,
        depth=3,
        fuse_dense=True,
    )
    return dataclasses.replace(
        large,
        name="tiny",
        image_features="none",
        dense=dense,
        sparse=dataclasses.replace(dense, transformer=sparse_transformer, samples_per_ray=256),
        selection=dataclasses.replace(large.selection, block_size=4, volume_dilation=0),
        routing=dataclasses.replace(
            large.routing, volume_blocks=8, image_blocks_per_view=2, views=8
        ),
    )
