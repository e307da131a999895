# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attention, blocks and transformers against each other and against what must not matter."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from backend.model.attention import Context, SparseAttention, StreamAttention, TwoSidedAttention
from backend.model.config.model_config import TransformerConfig
from backend.model.routing.routes import BlockTables, Plan, Routes
from backend.model.routing.tokens import (
    Stream,
    all_tokens,
    block_order,
    blocks_of,
    instance_offsets,
)
from backend.model.stage_fusion import DenseFeatures
from backend.model.transformer import Block, ReconstructionTransformer
from backend.parallel.group import ALONE
from kernels.attention import attention
from kernels.layer_norm import layer_norm

CONFIG = TransformerConfig(
    attention="sparse",
    volume_resolution=4,
    upsample=2,
    width=24,
    output_width=3,
    depth=2,
    query_heads=6,
    key_value_heads=2,
    mlp_ratio=2.0,
    skip_links=(0,),
    weight_norm=True,
    axis_positions=True,
    fuse_dense=True,
)
BLOCK = 2


def _stream(kept: torch.Tensor, *, volume: bool) -> tuple[torch.Tensor, Stream]:
    """Index rows in block order and the layout of a bool grid [instances, ., ., .]."""
    index = torch.nonzero(kept)
    index = index[block_order(index, BLOCK, volume=volume)]
    blocks = blocks_of(index, BLOCK, len(kept), volume=volume)
    return index, Stream(instance_offsets(index, len(kept)), blocks)


def _scene(instances: int = 2, *, every_block: bool = False) -> tuple[torch.Tensor, Plan]:
    """Random kept tokens of both streams and random block tables; returns the volume's rows."""
    generator = torch.Generator().manual_seed(3)
    volume, of_volume = _stream(
        torch.rand(instances, 4, 4, 4, generator=generator) < 0.6, volume=True
    )
    _, of_image = _stream(torch.rand(instances, 2, 4, 4, generator=generator) < 0.7, volume=False)
    tables = []
    for queries, keys in (
        (of_volume, of_volume),
        (of_volume, of_image),
        (of_image, of_image),
        (of_image, of_volume),
    ):
        count = int(queries.offsets[-1])
        most = int(keys.blocks.instance_offsets.diff().max())
        if every_block:
            tables.append(torch.arange(most).expand(1, count, most))
        else:
            tables.append(torch.randint(-1, most, (1, count, 3), generator=generator))
    routes = Routes.from_tables(of_volume, of_image, BlockTables(*tables))
    return volume, Plan(of_volume, of_image, routes)


def _tokens(plan: Plan, seed: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    counts = int(plan.volume.offsets[-1]), int(plan.image.offsets[-1])
    return tuple(torch.randn(count, CONFIG.width, generator=generator) for count in counts)


def test_selecting_every_block_is_full_attention() -> None:
    """The selected branch with all blocks gives what dense attention gives."""
    torch.manual_seed(0)
    _, plan = _scene(every_block=True)
    volume, image = _tokens(plan)
    module = TwoSidedAttention(CONFIG)
    x = module.volume.queries(layer_norm(volume), plan.volume)
    y = module.image.keys(layer_norm(image), plan.image)
    context = Context({module.volume_to_image: y}, ALONE)
    _, selected = module.volume_to_image.branches(x, context, plan.routes.volume_to_image)
    full = attention(x.query, y.key, y.value, plan.volume.offsets, plan.image.offsets).flatten(1)
    torch.testing.assert_close(selected, full, atol=2e-6, rtol=0)


def test_compressing_single_tokens_is_full_attention() -> None:
    """With blocks of one token the compressed branch is full attention over the compressed keys."""
    torch.manual_seed(0)
    kept = torch.rand(1, 4, 4, 4) < 0.5
    index = torch.nonzero(kept)
    stream = Stream(instance_offsets(index, 1), blocks_of(index, 1, 1, volume=True))
    unit = SparseAttention(CONFIG, window=True)
    projector = StreamAttention(CONFIG, gate_bias=True)
    tokens = torch.randn(len(index), CONFIG.width)
    x, keys = projector.queries(tokens, stream), projector.keys(tokens, stream)
    key, value = unit.compress(keys)
    assert key.shape[0] == len(index)
    full = attention(x.query, key, value, stream.offsets, stream.offsets)
    plan = Routes.from_tables(
        stream, stream, BlockTables(*[torch.zeros(1, len(index), 1).int()] * 4)
    )
    context = Context({unit: keys}, ALONE)
    compressed, _, window = unit.branches(x, context, plan.volume_to_volume)
    torch.testing.assert_close(compressed, full.flatten(1), atol=2e-6, rtol=0)
    heads = keys.value.repeat_interleave(CONFIG.query_heads // CONFIG.key_value_heads, 1)
    torch.testing.assert_close(window, heads.flatten(1))  # alone in its block, a token sees itself


def test_score_routing_with_all_blocks_is_geometry_with_all_blocks() -> None:
    """Choosing by score changes nothing when everything is chosen."""
    torch.manual_seed(0)
    block = Block(CONFIG, two_sided=True)
    _, plan = _scene(every_block=True)
    volume, image = _tokens(plan)
    most = max(int(s.blocks.instance_offsets.diff().max()) for s in (plan.volume, plan.image))
    routes = Routes.by_score(plan.volume, plan.image, volume_blocks=most, image_blocks=most)
    by_score = dataclasses.replace(plan, routes=routes)
    for a, b in zip(block(volume, image, plan), block(volume, image, by_score), strict=True):
        torch.testing.assert_close(a, b, atol=5e-6, rtol=0)


@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_instances_do_not_see_each_other(kind: str) -> None:
    """Two objects in one batch come out as each does alone."""
    torch.manual_seed(0)
    config = dataclasses.replace(CONFIG, attention=kind, fuse_dense=False)
    block = Block(config, two_sided=True)
    _, plan = _scene()
    if kind == "dense":
        plan = Plan(plan.volume, plan.image, None)
    volume, image = _tokens(plan)
    together = block(volume, image, plan)
    v, i = int(plan.volume.offsets[1]), int(plan.image.offsets[1])
    disturbed = block(
        torch.cat([volume[:v], volume[v:].flip(1)]), torch.cat([image[:i], -2 * image[i:]]), plan
    )
    torch.testing.assert_close(disturbed[0][:v], together[0][:v])
    torch.testing.assert_close(disturbed[1][:i], together[1][:i])
    assert not torch.allclose(disturbed[0][v:], together[0][v:])


def test_order_inside_a_block_does_not_matter() -> None:
    """Shuffling the tokens of a block shuffles the result, for no position enters attention."""
    torch.manual_seed(0)
    block = Block(CONFIG, two_sided=True)
    _, plan = _scene(every_block=True)
    volume, image = _tokens(plan)
    order = torch.arange(len(volume))
    start, stop = plan.volume.blocks.token_offsets[:2].tolist()
    order[start:stop] = order[start:stop].flip(0)
    assert stop - start > 1
    plain, shuffled = block(volume, image, plan), block(volume[order], image, plan)
    torch.testing.assert_close(shuffled[0], plain[0][order], atol=5e-6, rtol=0)
    torch.testing.assert_close(shuffled[1], plain[1], atol=5e-6, rtol=0)


def _transformer(config: TransformerConfig) -> ReconstructionTransformer:
    torch.manual_seed(1)
    return ReconstructionTransformer(config)


def _dense_features(plan: Plan, maps: int) -> DenseFeatures:
    volume, image = _tokens(plan, seed=8)
    return DenseFeatures(layer_norm(volume), torch.cat([image] * maps, 1))


def test_fused_features_must_be_given() -> None:
    """A stage that fuses features of the dense stage refuses to run without them."""
    index, plan = _scene()
    _, image = _tokens(plan)
    with pytest.raises(ValueError, match="features of the dense stage"):
        _transformer(CONFIG)(index, image, plan)


def test_sparse_gradients_match_finite_differences() -> None:
    """Back through a whole sparse transformer, in float64."""
    config = dataclasses.replace(CONFIG, width=12, depth=1, query_heads=4)
    transformer = _transformer(config).double()
    index, plan = _scene(instances=1)
    generator = torch.Generator().manual_seed(2)
    image = torch.randn(int(plan.image.offsets[-1]), 12, generator=generator, dtype=torch.float64)
    volume = torch.randn(len(index), 12, generator=generator, dtype=torch.float64)
    features = DenseFeatures(volume, torch.cat([image, image], 1))

    def loss(image: torch.Tensor) -> torch.Tensor:
        return transformer(index, image, plan, features).voxels.square().sum()

    point = image.requires_grad_()
    (slope,) = torch.autograd.grad(loss(point), point)
    direction = torch.randn(image.shape, generator=generator, dtype=torch.float64)
    step = 1e-5 * direction
    with torch.no_grad():
        measured = (loss(image + step) - loss(image - step)) / 2e-5
    torch.testing.assert_close((slope * direction).sum(), measured, rtol=1e-6, atol=1e-8)


def test_every_parameter_learns() -> None:
    """No parameter of either kind of transformer is left without a gradient."""
    for config in (CONFIG, dataclasses.replace(CONFIG, attention="dense", fuse_dense=False)):
        transformer = _transformer(config)
        index, plan = _scene(instances=1)
        _, image = _tokens(plan)
        if config.attention == "dense":
            index = all_tokens(1, 4, 4, 4)
            plan = Plan(Stream.dense(1, 64), Stream.dense(1, len(image)), None)
        features = _dense_features(plan, 2) if config.fuse_dense else None
        found = transformer(index, image, plan, features)
        (found.voxels.square().sum() + found.image_features[0].square().sum()).backward()
        idle = [name for name, p in transformer.named_parameters() if p.grad is None]
        assert idle == []
