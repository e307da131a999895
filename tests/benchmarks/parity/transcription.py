# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The formulas of the published model written down a second time: float64, released names, loops.

Slow and literal on purpose. Nothing here is shared with the code under test.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F


class Weights(dict):
    """Tensors under their released names, as float64."""

    def linear(self, name: str, x: Tensor) -> Tensor:
        """A linear map, with weight norm and bias where they are stored."""
        if f"{name}.weight" in self:
            weight = self[f"{name}.weight"]
        else:
            gain = self[f"{name}.parametrizations.weight.original0"]
            direction = self[f"{name}.parametrizations.weight.original1"]
            weight = gain * direction / direction.norm(dim=1, keepdim=True)
        result = x @ weight.T
        return result + self[f"{name}.bias"] if f"{name}.bias" in self else result

    def mlp(self, name: str, x: Tensor) -> Tensor:
        """fc2(GELU(fc1))."""
        return self.linear(f"{name}.fc2", F.gelu(self.linear(f"{name}.fc1", x)))


def norm(x: Tensor) -> Tensor:
    """LN0: layer norm without learned parameters."""
    variance = x.var(-1, unbiased=False, keepdim=True)
    return (x - x.mean(-1, keepdim=True)) / torch.sqrt(variance + 1e-5)


def per_head(x: Tensor, width: int) -> Tensor:
    """[tokens, heads * width] to [tokens, heads, width], each head normed."""
    return norm(x.view(len(x), -1, width))


def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Full softmax attention; [n, Hq, D] and [m, Hk, D] to [n, Hq * D]."""
    heads, group = query.shape[1], query.shape[1] // key.shape[1]
    parts = []
    for head in range(heads):
        scores = query[:, head] @ key[:, head // group].T / math.sqrt(query.shape[2])
        parts.append(scores.softmax(1) @ value[:, head // group])
    return torch.cat(parts, 1)


def encoder(w: Weights, given: dict[str, Tensor], size: int, *, dense: bool) -> Tensor:
    """Encoder tokens of all patches, [B, views, P, P, C]."""
    plucker = "plucker" in given
    rays = given["plucker" if plucker else "uv"]
    images = torch.cat([given["rgb"], rays], 2)
    batch, views = images.shape[:2]

    def patches(name: str, stack: Tensor) -> Tensor:
        flat = stack.flatten(0, 1)
        grid = F.conv2d(flat, w[f"{name}.weight"], w[f"{name}.bias"], stride=size)
        return grid.permute(0, 2, 3, 1).unflatten(0, (batch, views))

    tokens = patches("patch_embed", images)
    if "bg" in given:
        tokens = tokens + patches("patch_embed_bg", given["bg"])
    if not plucker:
        for view in range(views):
            tokens[:, view] += w["pos_embed"][min(view, 1)]
    if "feature" in given:
        feature = given["feature"].view(*tokens.shape[:-1], -1)
        tokens = torch.cat([feature, tokens], -1) @ w["input_feature_proj.weight"].T
    if "feature" in given or dense:
        tokens = norm(tokens) * w["norm.weight"] + w["norm.bias"]
    return tokens


def positions(w: Weights, config: dict, z: int, y: int, x: int) -> Tensor:
    """The embedding of one volume token."""
    side = config["vol_res"]
    if not config["use_decomposed_embed"]:
        return w["pos_embed"][0, (z * side + y) * side + x]
    axes = (("z", z), ("y", y), ("x", x))
    return torch.cat([w[f"pos_embed_{axis}"][0, at] for axis, at in axes])


def gated(w: Weights, name: str, stream: Tensor, parts: list[Tensor]) -> Tensor:
    """The sum of the parts, each weighed by its own slice of a sigmoid gate."""
    gates = torch.sigmoid(w.linear(name, stream)).chunk(len(parts), -1)
    return sum(gate * part for gate, part in zip(gates, parts, strict=True))


class DenseBlock:
    """A block of the dense transformer."""

    def __init__(self, w: Weights, config: dict, name: str) -> None:
        self.w, self.name = w, name
        self.width = config["embed_dim"] // config["num_q_heads"]

    def _qkv(self, kind: str, stream: str, tokens: Tensor) -> Tensor:
        return self.w.linear(f"{self.name}.crs_attn.{kind}_proj_{stream}", tokens)

    def side(self, stream: str, own: Tensor, other: Tensor) -> Tensor:
        """What a normed stream learns."""
        letter = "y" if stream == "x" else "x"
        query = per_head(self._qkv("q", stream, own), self.width)
        seen = []
        for which, tokens in ((letter, other), (stream, own)):
            key = per_head(self._qkv("k", which, tokens), self.width)
            value = self._qkv("v", which, tokens).view(len(tokens), -1, self.width)
            seen.append(attend(query, key, value))
        name = f"{self.name}.crs_attn"
        return self.w.linear(
            f"{name}.proj_{stream}", gated(self.w, f"{name}.gate_{stream}.0", own, seen)
        )

    def __call__(self, x: Tensor, y: Tensor, *, both: bool) -> tuple[Tensor, Tensor]:
        """Ordinary pre-norm residuals."""
        a = self.side("x", norm(x), norm(y))
        b = self.side("y", norm(y), norm(x)) if both else None
        x = x + a
        x = x + self.w.mlp(f"{self.name}.mlp_x_1", norm(x))
        if b is not None:
            y = y + b
            y = y + self.w.mlp(f"{self.name}.mlp_y_1", norm(y))
        return x, y


class SparseBlock:
    """A block of the sparse transformer, for one instance.

    `blocks` and `tables` go by the letters of streams and directions: token ranges of every block,
    and for each kv head the ids each query selects, or K for routing by score.
    """

    def __init__(self, w: Weights, config: dict, name: str, blocks: dict, tables: dict) -> None:
        self.w, self.name, self.blocks, self.tables = w, name, blocks, tables
        self.width = config["embed_dim"] // config["num_q_heads"]
        self.chosen: dict[str, list] = {}

    def _direction(self, query_stream: str, key_stream: str, streams: dict[str, Tensor]) -> Tensor:
        w, name = self.w, f"{self.name}.crs_attn"
        stream, seen = streams[query_stream], streams[key_stream]
        query = per_head(w.linear(f"{name}.q_proj_{query_stream}", stream), self.width)
        raw_key = w.linear(f"{name}.k_proj_{key_stream}", seen)
        raw_value = w.linear(f"{name}.v_proj_{key_stream}", seen)
        key = per_head(raw_key, self.width)
        value = raw_value.view(len(seen), -1, self.width)
        compressed = []
        for kind, raw in (("key", raw_key), ("value", raw_value)):
            layers = f"{name}.{query_stream}_2_{key_stream}_attn_in.compression_{kind}.act_layers"
            inner = w.linear(f"{layers}.2", F.silu(w.linear(f"{layers}.0", raw)))
            residual = norm(raw + inner)
            means = [residual[a:b].mean(0) for a, b in self.blocks[key_stream]]
            compressed.append(torch.stack(means).view(len(means), -1, self.width))
        block_key, block_value = norm(compressed[0]), compressed[1]
        parts = [attend(query, block_key, block_value)]
        parts.append(self._selected(query_stream + key_stream, query, (key, value), block_key))
        if query_stream == key_stream:
            parts.append(self._window(query_stream, query, key, value))
        return gated(w, f"{name}.{query_stream}_2_{key_stream}_attn_out.gate.0", stream, parts)

    def _selected(
        self, direction: str, query: Tensor, pairs: tuple[Tensor, Tensor], block_key: Tensor
    ) -> Tensor:
        key, value = pairs
        group = query.shape[1] // key.shape[1]
        table = self.tables[direction]
        if isinstance(table, int):
            table = self._by_score(query, block_key, group, table)
            self.chosen[direction] = table
        blocks = self.blocks[direction[1]]
        result = torch.zeros_like(query)
        for kv, rows in enumerate(table):
            heads = slice(kv * group, (kv + 1) * group)
            for number, row in enumerate(rows):
                ids = row[: sum(0 <= i < len(blocks) for i in row)]
                tokens = [t for i in ids for t in range(*blocks[i])]
                one = query[number : number + 1, heads]
                k, v = key[tokens, kv : kv + 1], value[tokens, kv : kv + 1]
                result[number, heads] = attend(one, k, v).view(group, -1)
        return result.flatten(1)

    def _by_score(self, query: Tensor, block_key: Tensor, group: int, count: int) -> list:
        table = []
        for kv in range(block_key.shape[1]):
            score = torch.zeros(len(query), len(block_key), dtype=query.dtype)
            for head in range(kv * group, (kv + 1) * group):
                scores = query[:, head] @ block_key[:, kv].T / math.sqrt(self.width)
                score += scores.softmax(1)
            most = score.argsort(1, descending=True)[:, :count].sort(1).values.tolist()
            table.append([row + [-1] * (count - len(row)) for row in most])
        return table

    def _window(self, stream: str, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        parts = [attend(query[a:b], key[a:b], value[a:b]) for a, b in self.blocks[stream]]
        return torch.cat(parts)

    def side(self, stream: str, streams: dict[str, Tensor]) -> Tensor:
        """What a normed stream learns."""
        other = "y" if stream == "x" else "x"
        parts = [self._direction(stream, key_stream, streams) for key_stream in (other, stream)]
        name = f"{self.name}.crs_attn"
        merged = gated(self.w, f"{name}.gate_{stream}.0", streams[stream], parts)
        return self.w.linear(f"{name}.proj_{stream}", merged)

    def __call__(self, x: Tensor, y: Tensor, *, both: bool) -> tuple[Tensor, Tensor]:
        """QUIRK 13: the residual is added to the normed streams."""
        streams = {"x": norm(x), "y": norm(y)}
        learned = norm(streams["x"] + self.side("x", streams))
        result = learned + self.w.mlp(f"{self.name}.mlp_x_1", learned)
        if both:
            learned = norm(streams["y"] + self.side("y", streams))
            y = learned + self.w.mlp(f"{self.name}.mlp_y_1", learned)
        return result, y


def sdf(w: Weights, feature: Tensor, points: Tensor, rho: float) -> Tensor:
    """The signed distance: an MLP around a small sphere."""
    return torch.tanh(bias_free(w, "mlp_sdf", feature)[:, 0]) * rho * 1.732 * 1.5 + (
        points.norm(dim=1) - 0.1 * rho
    )


def image(w: Weights, feature: Tensor) -> Tensor:
    """Colors, then base color, roughness and metallic, of those that are there."""
    names = ("mlp_rgb", "mlp_basecolor", "mlp_specular")
    there = [name for name in names if f"{name}.0.weight" in w]
    return torch.sigmoid(torch.cat([bias_free(w, name, feature) for name in there], 1))


def bias_free(w: Weights, name: str, feature: Tensor) -> Tensor:
    """ReLU between linears 0, 2, 4 ..."""
    count = sum(key.startswith(f"{name}.") for key in w)
    for number in range(count):
        feature = feature @ w[f"{name}.{2 * number}.weight"].T
        feature = feature.clamp(min=0) if number < count - 1 else feature
    return feature


def trilinear(volume: Tensor, points: Tensor, rho: float) -> Tensor:
    """[C, z, y, x] at points, corner by corner, clamped to the border."""
    last = volume.shape[1] - 1
    result = []
    for point in points.tolist():
        position = [min(max((value / rho + 1) / 2, 0), 1) * last for value in point]
        low = [min(int(value), max(last - 1, 0)) for value in position]
        total = torch.zeros(len(volume), dtype=volume.dtype)
        for corner in range(8):
            at = [low[axis] + (corner >> axis & 1) for axis in range(3)]
            shares = [1 - abs(position[axis] - at[axis]) for axis in range(3)]
            x, y, z = (min(value, last) for value in at)
            total += max(math.prod(shares), 0) * volume[:, z, y, x]
        result.append(total)
    return torch.stack(result)


def sparse_sample(
    rows: Tensor, index: Tensor, volume: Tensor, points: Tensor, rho: float
) -> Tensor:
    """Features at points from eight corners, the nearest dense feature where one is missing."""
    side, old = index.shape[0], volume.shape[1]
    result = []
    for point in points.tolist():
        position = [min(max(0.5 * (value / rho + 1), 0), 1) * (side - 1) for value in point]
        total = torch.zeros(rows.shape[1], dtype=rows.dtype)
        for corner in range(8):
            share, at = 1.0, []
            for axis in range(3):
                low = math.floor(position[axis])
                upper = corner >> axis & 1
                share *= position[axis] - low if upper else 1 - (position[axis] - low)
                at.append(min(low + upper, side - 1))
            x, y, z = at
            row = int(index[z, y, x])
            cell = [min(value // (side // old), old - 1) for value in (z, y, x)]
            total += share * (rows[row] if row >= 0 else volume[:, cell[0], cell[1], cell[2]])
        result.append(total)
    return torch.stack(result)
