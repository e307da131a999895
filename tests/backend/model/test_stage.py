# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole stages in the variants that configurations allow."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest
import torch

from backend.model.config.presets import preset
from backend.model.encoder import EncoderInputs, MultiViewEncoder
from backend.model.routing.routing_tables import SparseTokens, plan_by_score
from backend.model.routing.selection import image_tokens, volume_tokens
from backend.model.routing.tokens import all_tokens
from backend.model.stage import SparseBatch, Stage, run_dense, run_sparse
from backend.model.stage_fusion import DenseFeatures

if TYPE_CHECKING:
    from backend.model.config.model_config import EncoderConfig, StageConfig

VARIANTS = {
    "plain": ({}, {}),
    "background": ({"background": True}, {}),
    "features": ({"feature_width": 5}, {}),
    "uv": ({"rays": "uv"}, {}),
    "one table": ({}, {"axis_positions": False}),
    "weight norm": ({}, {"weight_norm": True}),
    "no links": ({}, {"skip_links": ()}),
    "no fusion": ({}, {"fuse_dense": False}),
}
INSTANCES, VIEWS, SIZE, MAPS = 2, 3, 32, 2


def _config(attention: str, name: str) -> StageConfig:
    encoder, transformer = VARIANTS[name]
    base = preset("tiny").sparse
    sizes = {"volume_resolution": 4, "upsample": 2, "width": 32, "depth": 2, "query_heads": 4}
    sizes |= {"attention": attention, "skip_links": (1,), "fuse_dense": attention == "sparse"}
    sizes |= transformer
    return dataclasses.replace(
        base,
        image_size=SIZE,
        encoder=dataclasses.replace(base.encoder, patch_size=4, width=32, **encoder),
        transformer=dataclasses.replace(base.transformer, **sizes),
    )


def _inputs(config: EncoderConfig) -> EncoderInputs:
    generator = torch.Generator().manual_seed(0)

    def pictures(channels: int) -> torch.Tensor:
        return torch.randn(INSTANCES, VIEWS, channels, SIZE, SIZE, generator=generator)

    features = torch.randn(INSTANCES, VIEWS * 64, 5, generator=generator)
    return EncoderInputs(pictures(3), pictures(config.ray_channels), pictures(3), features)


def _tokens(side: int) -> SparseTokens:
    generator = torch.Generator().manual_seed(1)
    image = torch.rand(INSTANCES, VIEWS, 8, 8, generator=generator) < 0.4
    volume = torch.rand(INSTANCES, side, side, side, generator=generator) < 0.4
    return SparseTokens(image_tokens(image, 4), volume_tokens(volume, 4), INSTANCES)


@pytest.mark.parametrize("name", [name for name in VARIANTS if name != "no fusion"])
def test_dense_stage_variants(name: str) -> None:
    """Every variant of the dense stage runs, and every number is finite."""
    torch.manual_seed(0)
    config = _config("dense", name)
    result = run_dense(Stage(config), _inputs(config.encoder))
    assert result.volume.shape == (INSTANCES, 32, 8, 8, 8)
    assert result.volume.isfinite().all()
    assert len(result.image_features) == len(config.transformer.skip_links) + 1


@pytest.mark.parametrize("name", VARIANTS)
def test_sparse_stage_variants(name: str) -> None:
    """Every variant of the sparse stage runs; bricks are numbered like tokens, per instance."""
    torch.manual_seed(0)
    config, tokens = _config("sparse", name), _tokens(4)
    maps = len(config.transformer.skip_links) + 1
    features = DenseFeatures(
        torch.randn(len(tokens.volume), 32), torch.randn(len(tokens.image), maps * 32)
    )
    plan = plan_by_score(tokens, preset("tiny"))
    batch = SparseBatch(_inputs(config.encoder), tokens, plan, features)
    result = run_sparse(Stage(config), batch)
    assert result.rows.shape == (len(tokens.volume) * 8, 32)
    assert result.rows.isfinite().all()
    for instance in range(INSTANCES):
        rows, bricks = result.of(instance)
        voxels = tokens.volume[tokens.volume[:, 0] == instance][:, 1:].long()
        assert bricks.numbers[tuple(voxels.T)].tolist() == list(range(len(voxels)))
        assert int((bricks.numbers >= 0).sum()) == len(voxels) == len(rows) // bricks.side**3
        assert bricks.resolution == 2 * config.transformer.volume_resolution


def test_the_encoder_gathers_what_it_would_convolve() -> None:
    """Tokens of a few patches equal those of all patches."""
    torch.manual_seed(0)
    config = _config("sparse", "features").encoder
    encoder, inputs = MultiViewEncoder(config, always_norm=False), _inputs(config)
    full = encoder(inputs, all_tokens(INSTANCES, VIEWS, 8, 8)).view(INSTANCES, VIEWS, 8, 8, -1)
    index = _tokens(4).image
    torch.testing.assert_close(encoder(inputs, index), full[tuple(index.T)])
    weight = encoder.patches.weight
    picture = torch.cat([inputs.images, inputs.rays], 2).flatten(0, 1)
    convolved = torch.nn.functional.conv2d(picture, weight, encoder.patches.bias, stride=4)
    gathered = encoder.patches(torch.cat([inputs.images, inputs.rays], 2), index)
    instance, view, row, column = index.unbind(1)
    expected = convolved.view(INSTANCES, VIEWS, -1, 8, 8)[instance, view, :, row, column]
    torch.testing.assert_close(gathered, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("missing", ["background", "features"])
def test_missing_inputs_are_named(missing: str) -> None:
    """An encoder names the input that it reads and does not get."""
    config = _config("sparse", missing).encoder
    inputs = dataclasses.replace(_inputs(config), **{missing: None})
    with pytest.raises(ValueError, match=missing):
        MultiViewEncoder(config, always_norm=False)(inputs, _tokens(4).image)
