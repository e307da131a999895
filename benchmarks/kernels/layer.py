# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""One two-sided layer of the sparse stage, part by part: every branch, gate, norm and product.

The layer is walked through once, and each operation is kept with its inputs; then each is timed
alone. What the whole layer takes beyond their sum is not accounted for.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import torch
from torch.nn import functional as F

from backend.model.attention import KeyValue, Queries, SparseAttention
from backend.model.config.presets import preset
from backend.model.routing.routes import Plan, PlannedRoute, Routes
from backend.model.routing.tokens import Stream
from backend.model.transformer import Block
from kernels.compressed_attention import compressed_attention
from kernels.layer_norm import layer_norm
from kernels.selected_attention import selected_attention
from kernels.window_attention import window_attention

from .card import Work
from .checks import both_gates
from .scene import DIRECTIONS, Scene
from .timings import Row, attention_work

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

    from backend.model.attention import TwoSidedAttention
    from backend.model.config.model_config import TransformerConfig
    from kernels.core.routing_plan import QueryTiles, RoutingPlan

    from .timings import Stopwatch

KINDS = ("selected", "compressed", "window", "compression", "gates", "norms", "products", "others")
"""What parts are summed by; "others" are the activation of the MLP and its residual."""
PASSES = ("forward", "forward and backward")


@dataclass(frozen=True)
class Part:
    """One operation of a layer.

    Attributes:
        name: of it.
        kind: one of `KINDS`.
        run: the operation.
        inputs: that it gets, differentiable each.
        module: with its parameters, if it has some.
        tiles: of attention.
    """

    name: str
    kind: str
    run: Callable[..., Tensor]
    inputs: tuple[Tensor, ...]
    module: nn.Module | None = None
    tiles: QueryTiles | None = None

    @property
    def parameters(self) -> tuple[Tensor, ...]:
        """Those of the module."""
        return tuple(self.module.parameters()) if self.module else ()

    def work(self, found: Tensor, pass_name: str) -> Work:
        """What it does at least in a pass, given its result."""
        first, backward = self.inputs[0], pass_name != PASSES[0]
        times = 3 if backward else 1  # a product for each of two gradients; three times the memory
        moved = sum(each.nbytes for each in (*self.inputs, *self.parameters, found))
        if self.tiles is not None:
            heads = first.shape[1], self.inputs[1].shape[1]
            forward = attention_work(self.tiles, heads, first.dtype)
            if not backward:
                return forward
            back = attention_work(self.tiles, heads, first.dtype, backward=True)
            return Work(
                forward.exponentials + back.exponentials,
                forward.flops + back.flops,
                None,
                forward.memory_bytes + back.memory_bytes,
            )
        products = [each for each in self.parameters if each.dim() == 2]
        flops = sum(2 * len(first) * matrix.numel() for matrix in products)
        return Work(flops=times * flops, memory_bytes=times * moved)


@dataclass
class Walk:
    """The parts of a layer, in the order in which they run.

    Attributes:
        parts: so far.
    """

    parts: list[Part] = field(default_factory=list)

    def __call__(self, part: Part) -> Tensor:
        """Keep a part, and run it."""
        self.parts.append(part)
        return part.run(*part.inputs)

    def norm(self, name: str, *inputs: Tensor) -> Tensor:
        """A layer norm, of a sum if there are two inputs."""
        return self(Part(f"{name}, norm", "norms", layer_norm, inputs))

    def product(self, name: str, module: nn.Module, stream: Tensor) -> Tensor:
        """A linear map."""
        return self(Part(f"{name}, product", "products", module, (stream,), module))


@torch.no_grad()
def walk_layer(
    block: Block, streams: tuple[Tensor, Tensor], plan: Plan
) -> tuple[list[Part], tuple[Tensor, Tensor]]:
    """The parts of a two-sided layer in evaluation, and what it makes of both streams.

    Args:
        block: the layer.
        streams: volume and image tokens, [tokens, width] each.
        plan: with planned routes.
    """
    if plan.routes is None:
        raise ValueError("this layer attends densely")
    walk, attention = Walk(), cast("TwoSidedAttention", block.attention)
    sides: dict[str, tuple[Any, Any, Stream]] = {
        "volume": (attention.volume, block.volume_mlp, plan.volume),
        "image": (attention.image, block.image_mlp, plan.image),
    }
    normed = {name: walk.norm(name, each) for name, each in zip(sides, streams, strict=True)}
    keys = {
        name: _keys(walk, name, side, normed[name], layout)
        for name, (side, _, layout) in sides.items()
    }
    found = []
    for (name, (side, mlp, layout)), other in zip(sides.items(), reversed(sides), strict=True):
        stream = normed[name]
        raw = walk.product(f"{name}, query", side.query, stream)
        query = walk.norm(f"{name}, query", raw.unflatten(1, (-1, side.head_width)))
        queries, gated = Queries(query, stream, layout), []
        for target in (other, name):
            direction = f"{name}_to_{target}"
            plan_of_direction = getattr(plan.routes, direction).plan
            given = queries, keys[target]
            module = getattr(attention, direction)
            gated.append(_direction(walk, direction, module, given, plan_of_direction))
        (cross, seen_across), (own, seen) = gated
        logits = walk.product(f"{name}, gate of directions", side.gate, stream)
        inputs = (logits, cross, own, *seen_across, *seen)
        merged = walk(Part(f"{name}, gates", "gates", both_gates, inputs))
        learned = walk.product(f"{name}, output", side.output, merged)
        found.append(_update(walk, name, mlp, stream, learned))
    return walk.parts, (found[0], found[1])


def _keys(walk: Walk, name: str, side: Any, stream: Tensor, layout: Stream) -> KeyValue:
    raw = walk.product(f"{name}, key", side.key, stream)
    value = walk.product(f"{name}, value", side.value, stream)
    heads = (-1, side.head_width)
    key = walk.norm(f"{name}, key", raw.unflatten(1, heads))
    return KeyValue(key, value.unflatten(1, heads), raw, layout)


def _direction(
    walk: Walk,
    name: str,
    module: SparseAttention,
    streams: tuple[Queries, KeyValue],
    plan: RoutingPlan,
) -> tuple[Tensor, list[Tensor]]:
    """The logits of the gate of a direction, and its branches [queries, width]."""
    queries, keys = streams
    query, heads = queries.query, (-1, *keys.key.shape[1:])

    def compress(kind: str, compression: nn.Module, stream: Tensor) -> Tensor:
        run = partial(compression, blocks=keys.blocks)
        part = Part(f"{name}, compressed {kind}", "compression", run, (stream,), compression)
        return walk(part).reshape(heads)

    block_key = compress("key", module.key_compression, keys.raw_key)
    block_value = compress("value", module.value_compression, keys.value.flatten(1))
    block_key = walk.norm(f"{name}, compressed key", block_key)
    own = [keys.key, keys.value]
    branches = [
        ("compressed", _compressed(plan), [block_key, block_value], plan.compressed),
        ("selected", _selected(plan), own, plan.selected[0]),
    ]
    if module.window:
        window = queries.layout.window
        attend = partial(window_attention, plan=window, bounded_scores=True)
        branches.append(("window", attend, own, window.window))
    seen = [
        walk(Part(f"{name}, {kind}", kind, attend, (query, *read), tiles=tiles)).flatten(1)
        for kind, attend, read, tiles in branches
    ]
    return walk.product(f"{name}, gate", module.gate, queries.tokens), seen


def _compressed(plan: RoutingPlan) -> Callable[..., Tensor]:
    return partial(compressed_attention, plan=plan, bounded_scores=True)


def _selected(plan: RoutingPlan) -> Callable[..., Tensor]:
    def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return selected_attention(query, key, value, plan, bounded_scores=True)[0]

    return attend


def _update(walk: Walk, name: str, mlp: Any, normed: Tensor, learned: Tensor) -> Tensor:
    stream = walk.norm(f"{name}, update", normed, learned)
    hidden = walk.product(f"{name}, MLP in", mlp.fc1, stream)
    active = walk(Part(f"{name}, GELU", "others", F.gelu, (hidden,)))
    update = walk.product(f"{name}, MLP out", mlp.fc2, active)
    return walk(Part(f"{name}, residual", "others", torch.add, (stream, update)))


@dataclass
class LayerTimes:
    """A layer in one pass.

    Attributes:
        pass_name: one of `PASSES`.
        whole: of the layer; its bound is the sum of the largest one of each part.
        parts: one row for each.
        sums: milliseconds of the parts, by kind.
    """

    pass_name: str
    whole: Row
    parts: list[Row]
    sums: dict[str, float]

    @property
    def not_accounted(self) -> float:
        """Milliseconds of the whole layer beyond the sum of its parts; negative if it overlaps."""
        return self.whole.milliseconds - sum(self.sums.values())


def time_layer(
    block: Block, streams: tuple[Tensor, Tensor], plan: Plan, watch: Stopwatch, pass_name: str
) -> LayerTimes:
    """Time a layer, and each of its parts alone.

    Args:
        block: the layer.
        streams: volume and image tokens, [tokens, width] each.
        plan: with planned routes.
        watch: that times.
        pass_name: one of `PASSES`.
    """
    parts, _ = walk_layer(block, streams, plan)
    rows, sums, bound, flops = [], dict.fromkeys(KINDS, 0.0), 0.0, 0.0
    for part in parts:
        with torch.no_grad():
            work = part.work(part.run(*part.inputs), pass_name)
        call = _pass(part.run, part.inputs, part.parameters, pass_name)
        row = watch.row(f"{part.name}, {pass_name}", len(part.inputs[0]), work, call)
        rows.append(row)
        sums[part.kind] += row.milliseconds
        bound += max(row.bounds.values(), default=0.0)
        flops += work.flops
    call = _pass(partial(block, plan=plan), streams, tuple(block.parameters()), pass_name)
    name, tokens = f"whole layer, {pass_name}", sum(map(len, streams))
    whole = watch.row(name, tokens, Work(flops=flops), call)
    share = bound / whole.milliseconds if bound else None
    return LayerTimes(pass_name, replace(whole, share_of_bound=share, bounds={}), rows, sums)


def _pass(
    run: Callable[..., Tensor | tuple[Tensor, ...]],
    inputs: tuple[Tensor, ...],
    parameters: tuple[Tensor, ...],
    pass_name: str,
) -> Callable[[], object]:
    if pass_name == PASSES[0]:
        return torch.no_grad()(partial(run, *inputs))
    leaves = tuple(each.detach().requires_grad_() for each in inputs)

    def forward_and_backward() -> object:
        found = run(*leaves)
        values = found if isinstance(found, tuple) else (found,)
        towards = [torch.ones_like(each) for each in values]
        return torch.autograd.grad(values, (*leaves, *parameters), towards)

    return forward_and_backward


def layer_config(width: int) -> TransformerConfig:
    """The released sparse layers at another width, with heads of the same width."""
    config = preset("lsrm-rgb").sparse.transformer
    heads = width // config.head_width
    return replace(config, width=width, query_heads=heads, weight_norm=False, fuse_dense=False)


def plan_of(scene: Scene) -> Plan:
    """The plan of a routed object."""
    own = scene.plans["volume_to_volume"], scene.plans["image_to_image"]
    volume, image = (Stream(plan.query_offsets, plan.blocks, plan.order) for plan in own)
    routes = {each: PlannedRoute(scene.plans[each]) for each in DIRECTIONS}
    return Plan(volume, image, Routes(**routes))


def random_layer(scene: Scene, width: int) -> tuple[Block, tuple[Tensor, Tensor], Plan]:
    """A two-sided layer of some width with random weights, its streams and its plan.

    On a GPU in bfloat16, as the network runs there.
    """
    torch.manual_seed(0)
    config, plan = layer_config(width), plan_of(scene)
    device = plan.volume.offsets.device
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    block = Block(config, two_sided=True).eval().to(device, dtype)
    volume, image = (
        torch.randn(int(stream.offsets[-1]), config.width).to(device, dtype)
        for stream in (plan.volume, plan.image)
    )
    return block, (volume, image), plan
