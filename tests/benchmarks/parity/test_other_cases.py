# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases like the golden ones but of other sizes, computed by formulas written down a second time.

`backend parity` reads all of a case from its `case.json` and assumes no size of the golden cases.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import Tensor

from backend.field.config import HALF_SIDE, DecoderConfig
from backend.field.decoders import MlpDecoder
from backend.model.config.model_config import EncoderConfig, StageConfig
from backend.model.release.names import MODULES, to_release
from backend.model.stage import Stage
from benchmarks.parity.stage_cases import transformer_config
from tests.benchmarks.parity import transcription as formulas
from tests.benchmarks.parity.case_files import ranges, some_tokens, write_case, wrong
from tests.benchmarks.parity.transcription import Weights

if TYPE_CHECKING:
    from pathlib import Path

RELEASED = {ours: theirs for theirs, ours in MODULES.items()}
LETTERS = {"x": "vol", "y": "img"}


def encoder_of(**changes: Any) -> dict[str, Any]:
    """Settings of an encoder."""
    usual = {"mvencoder_type": "plucker", "patch_size": 3, "feature_dim": 7, "with_bg": False}
    return usual | changes


def decoder_of(**changes: Any) -> dict[str, Any]:
    """Settings of a decoder."""
    usual = {"vol_res": 4, "upsample_scale": 2, "embed_dim": 24, "output_dim": 5, "depth": 2}
    usual |= {"num_q_heads": 4, "num_kv_heads": 2, "mlp_ratio": 1.5, "use_weight_norm": True}
    usual |= {"skip_links": [0], "use_decomposed_embed": True}
    return usual | changes


def random_weights(module: torch.nn.Module, name: str, seed: int) -> dict[str, Tensor]:
    """Every parameter random, under its released name with the module in front."""
    random = torch.Generator().manual_seed(seed)
    tensors = {}
    for key, tensor in module.state_dict().items():
        drawn = torch.randn(tensor.shape, generator=random)
        positive = key.endswith("original0") or (tensor.dim() == 1 and key.endswith("weight"))
        fan_in = tensor[0].numel() if tensor.dim() > 1 else 4
        value = 1 + 0.2 * drawn if positive else drawn / math.sqrt(fan_in)
        tensors[f"{RELEASED.get(name, name)}.{to_release(name, key)}"] = value
    return tensors


def part(weights: dict[str, Tensor], module: str) -> Weights:
    """One module's weights in float64, without the module."""
    own = {n: t.double() for n, t in weights.items() if n.startswith(f"{module}.")}
    return Weights({n.removeprefix(f"{module}."): t for n, t in own.items()})


def stage_of(kind: str, encoder: dict, decoder: dict, size: int) -> Stage:
    """A stage, for the names and shapes of its parameters."""
    return Stage(
        StageConfig(
            image_size=size,
            encoder=EncoderConfig(
                rays="uv" if encoder["mvencoder_type"] == "nocam" else "plucker",
                patch_size=encoder["patch_size"],
                width=decoder["embed_dim"],
                feature_width=encoder["feature_dim"] or 0,
                background=encoder["with_bg"],
            ),
            transformer=transformer_config(decoder, kind),
            decoder=DecoderConfig(decoder["output_dim"], 1, 0, 0, 0, "rgb", HALF_SIDE),
            inverse_std=1.0,
            samples_per_ray=1,
        )
    )


def weights_of(stage: Stage, name: str) -> dict[str, Tensor]:
    """Random weights for encoder and transformer, the same for the same name's length."""
    return {
        key: t
        for module in ("encoder", "transformer")
        for key, t in random_weights(getattr(stage, module), module, seed=len(name)).items()
    }


def views_of(encoder: dict, batch: int, views: int, side: int) -> dict[str, Tensor]:
    """Random images, rays and features of `side` patches."""
    random = torch.Generator().manual_seed(batch + views)
    size = side * encoder["patch_size"]

    def draw(*shape: int) -> Tensor:
        return torch.rand(shape, generator=random).mul(2).sub(1)

    nocam = encoder["mvencoder_type"] == "nocam"
    given = {"rgb": draw(batch, views, 3, size, size)}
    given |= {"uv" if nocam else "plucker": draw(batch, views, 2 if nocam else 6, size, size)}
    if encoder["with_bg"]:
        given["bg"] = draw(batch, views, 3, size, size)
    if encoder["feature_dim"]:
        given["feature"] = draw(batch, views * side * side, encoder["feature_dim"])
    return given


def doubled(given: dict[str, Tensor]) -> dict[str, Tensor]:
    """Floats in float64."""
    return {name: t.double() if t.is_floating_point() else t for name, t in given.items()}


def voxels(w: Weights, config: dict, x: Tensor) -> Tensor:
    """Normed and upsampled, [tokens, channels, dz, dy, dx]."""
    normed = formulas.norm(x) * w["norm.weight"] + w["norm.bias"]
    upsample = config["upsample_scale"]
    return w.linear("upsampler.dconv3d", normed).view(
        -1, config["output_dim"], upsample, upsample, upsample
    )


DENSE = {
    "three kv heads": (encoder_of(), decoder_of(num_q_heads=6, num_kv_heads=3), 1, 2, 3),
    "uneven axes": (encoder_of(with_bg=True), decoder_of(embed_dim=20, vol_res=3), 2, 1, 2),
    "deep": (encoder_of(patch_size=5), decoder_of(depth=5, skip_links=[0, 4, 2]), 1, 3, 2),
    "one table": (encoder_of(feature_dim=None), decoder_of(use_decomposed_embed=False), 1, 2, 4),
    "no cameras": (encoder_of(mvencoder_type="nocam"), decoder_of(upsample_scale=3), 2, 3, 2),
    "plain linears": (encoder_of(), decoder_of(use_weight_norm=False, num_kv_heads=1), 1, 2, 2),
}


@pytest.mark.parametrize("name", DENSE)
def test_dense_stages_of_other_sizes(tmp_path: Path, name: str) -> None:
    """Encoder and dense transformer, instance by instance, agree to the tolerance of `parity`."""
    encoder, decoder, batch, views, side = DENSE[name]
    given = views_of(encoder, batch, views, side)
    stage = stage_of("dense", encoder, decoder, given["rgb"].shape[-1])
    weights = weights_of(stage, name)
    w = part(weights, "voldecoder")
    tokens = formulas.encoder(
        part(weights, "mvencoder"), doubled(given), encoder["patch_size"], dense=True
    )
    tokens = tokens.flatten(1, 3)
    rows: dict[str, list[Tensor]] = {}
    for instance in range(batch):
        for key, tensor in dense_instance(w, decoder, tokens[instance]).items():
            rows.setdefault(key, []).append(tensor)
    expected = {"tokens": tokens} | {key: torch.stack(parts) for key, parts in rows.items()}
    document = {"kind": "dense", "config": {"encoder": encoder, "decoder": decoder}}
    document["config"]["encoder"]["embed_dim"] = decoder["embed_dim"]
    assert wrong(write_case(tmp_path / "case", document, weights, given, expected)) == []


def dense_instance(w: Weights, config: dict, y: Tensor) -> dict[str, Tensor]:
    """The dense transformer for the image tokens of one instance."""
    side, upsample = config["vol_res"], config["upsample_scale"]
    cells = list(itertools.product(range(side), repeat=3))
    x = torch.stack([formulas.positions(w, config, *cell) for cell in cells])
    found, maps = {"trace.x_init": x}, []
    for number in range(config["depth"]):
        x, y = formulas.DenseBlock(w, config, f"cross_blocks.{number}")(x, y, both=True)
        found |= {f"trace.block{number}.x": x, f"trace.block{number}.y": y}
        if number in config["skip_links"]:
            maps.insert(0, y)
    maps.insert(0, y)
    for number in range(len(config["skip_links"])):
        block = formulas.DenseBlock(w, config, f"skip_blocks.{number}")
        x, _ = block(x, maps[number + 1], both=False)
        found[f"trace.skip{number}.x"] = x
    volume = torch.zeros(config["output_dim"], *[side * upsample] * 3).double()
    for (z, y_, x_), block in zip(cells, voxels(w, config, x), strict=True):
        volume[
            :,
            z * upsample : (z + 1) * upsample,
            y_ * upsample : (y_ + 1) * upsample,
            x_ * upsample : (x_ + 1) * upsample,
        ] = block
    found |= {f"y_list.{number}": y for number, y in enumerate(maps)}
    return found | {"x_feature": x, "volume": volume}


class SparseScene:
    """Random tokens, blocks and tables of some instances."""

    def __init__(self, shapes: dict[str, tuple[int, ...]], block: int, counts: dict[str, int]):
        self.rows, self.blocks = {}, {}
        for letter, axes in (("x", 3), ("y", 2)):
            self.rows[letter] = some_tokens(shapes[letter], axes, block, seed=axes)
            self.blocks[letter] = ranges(self.rows[letter], axes, block)
        self.batch = shapes["x"][0]
        random = torch.Generator().manual_seed(5)
        self.tables = {}
        for query_stream, key_stream in itertools.product("xy", repeat=2):
            table = []
            for row in self.rows[query_stream]:
                there = len(self.own_blocks(key_stream, row[0]))
                ids = (
                    torch.randperm(there, generator=random)[: counts[key_stream]]
                    .sort()
                    .values.tolist()
                )
                table.append(ids + [-1] * (counts[key_stream] - len(ids)))
            self.tables[query_stream + key_stream] = table

    def own_blocks(self, letter: str, instance: int) -> list[tuple[int, int]]:
        """The blocks of one instance, token numbers counted from its first."""
        rows = self.rows[letter]
        first = sum(row[0] < instance for row in rows)
        own = [(a, b) for a, b in self.blocks[letter] if rows[a][0] == instance]
        return [(a - first, b - first) for a, b in own]

    def tokens(self, letter: str, instance: int) -> list[int]:
        """Numbers of an instance's tokens."""
        return [i for i, row in enumerate(self.rows[letter]) if row[0] == instance]

    def inputs(self, *, tables: bool) -> dict[str, Tensor]:
        """As cases store them."""
        found = {
            "volume_index": torch.tensor(self.rows["x"]).int(),
            "image_index": torch.tensor(self.rows["y"]).int(),
        }
        for query_stream, key_stream in itertools.product("xy", repeat=2):
            name = f"{LETTERS[query_stream]}_to_{LETTERS[key_stream]}_attn"
            counts = [len(self.own_blocks(key_stream, i)) for i in range(self.batch)]
            ends = [0, *(b for _, b in self.blocks[key_stream])]
            found[f"{name}.cu_block_include_tokens"] = torch.tensor(ends).int()
            found[f"{name}.cu_seqblocks"] = torch.tensor([0, *itertools.accumulate(counts)]).int()
            if tables:
                found[f"{name}.block_topk"] = torch.tensor(
                    self.tables[query_stream + key_stream]
                ).int()
        return found


SPARSE = {
    "fused": (encoder_of(with_bg=True), decoder_of(vol_res=6, fuse_all_layers=True), 1, 3),
    "wide groups": (
        encoder_of(),
        decoder_of(vol_res=6, num_q_heads=8, embed_dim=32, fuse_all_layers=True, depth=1),
        2,
        2,
    ),
    "no features": (
        encoder_of(feature_dim=None),
        decoder_of(vol_res=4, depth=3, skip_links=[1, 0], use_decomposed_embed=False),
        1,
        2,
    ),
    "by score": (encoder_of(), decoder_of(vol_res=6, num_q_heads=6, num_kv_heads=3), 2, 2),
}


@pytest.mark.parametrize("name", SPARSE)
def test_sparse_stages_of_other_sizes(tmp_path: Path, name: str) -> None:
    """Encoder, sparse transformer and the index of its voxels, with tables or routed by score."""
    encoder, decoder, batch, views = SPARSE[name]
    counts, side, block = {"x": 3, "y": 4}, 4, 2
    by_score = name == "by score"
    decoder = decoder | {"topk_volume": 3, "topk_multiimage": 2}
    encoder = encoder | {"embed_dim": decoder["embed_dim"]}
    resolution = decoder["vol_res"]
    shapes = {"x": (batch, *[resolution] * 3), "y": (batch, views, side, side)}
    scene = SparseScene(shapes, block, counts)
    given = views_of(encoder, batch, views, side) | scene.inputs(tables=not by_score)
    random = torch.Generator().manual_seed(9)
    width, maps = decoder["embed_dim"], len(decoder["skip_links"]) + 1
    unit = {"volfeat_sparse": (len(scene.rows["x"]), width)}
    unit |= {f"imfeat_sparse.{i}": (len(scene.rows["y"]), width) for i in range(maps)}
    for key, shape in unit.items():
        given[key] = torch.nn.functional.normalize(torch.randn(shape, generator=random), dim=1)
    stage = stage_of("sparse", encoder, decoder, given["rgb"].shape[-1])
    weights = weights_of(stage, name)
    w = part(weights, "voldecoder")
    patches = formulas.encoder(
        part(weights, "mvencoder"), doubled(given), encoder["patch_size"], dense=False
    )
    tokens = torch.stack([patches[row] for row in scene.rows["y"]])
    prior = {key: given[key].double() for key in unit} if decoder.get("fuse_all_layers") else {}
    rows: dict[str, list[Tensor]] = {"tokens": [tokens]}
    for instance in range(batch):
        tables: Any = scene_tables(scene, instance, decoder)
        if by_score:
            in_images = decoder["topk_multiimage"] * views
            tables = {d: 3 if d[1] == "x" else in_images for d in scene.tables}
        found = sparse_instance(w, decoder, scene, (instance, tables), tokens, prior)
        for key, tensor in found.items():
            rows.setdefault(key, []).append(tensor)
    expected = {k: torch.cat(v, 1 if "score_topk" in k else 0) for k, v in rows.items()}
    expected |= index_volume(scene, decoder)
    document = {"kind": "sparse", "config": {"encoder": encoder, "decoder": decoder}}
    document["config"]["im_num"] = views
    assert wrong(write_case(tmp_path / "case", document, weights, given, expected)) == []


def scene_tables(scene: SparseScene, instance: int, decoder: dict) -> dict[str, list]:
    """The tables of one instance, the same for every kv head."""
    return {
        d: [[table[i] for i in scene.tokens(d[0], instance)]] * decoder["num_kv_heads"]
        for d, table in scene.tables.items()
    }


def sparse_instance(
    w: Weights,
    config: dict,
    scene: SparseScene,
    job: tuple[int, dict],
    tokens: Tensor,
    prior: dict[str, Tensor],
) -> dict[str, Tensor]:
    """The sparse transformer for one instance; `job` is its number and its tables."""
    instance, tables = job
    own_x, own_y = (scene.tokens(letter, instance) for letter in "xy")
    blocks = {letter: scene.own_blocks(letter, instance) for letter in "xy"}
    x = torch.stack([formulas.positions(w, config, *scene.rows["x"][i][1:]) for i in own_x])
    y, maps, fused = tokens[own_y], [], bool(prior)
    found = {"trace.x_init": x}
    if fused:
        of_volume = prior["volfeat_sparse"][own_x]
        images = [prior[name][own_y] for name in sorted(prior) if name.startswith("im")]
        of_images = torch.cat(images, 1)
    for number in range(config["depth"]):
        if fused:
            x = x + w.linear(f"fuse_prior_volfeats.{number}", of_volume)
            y = y + w.linear(f"fuse_prior_imfeats.{number}", of_images)
        block = formulas.SparseBlock(w, config, f"cross_blocks.{number}", blocks, tables)
        x, y = block(x, y, both=True)
        found |= {f"trace.block{number}.x": x, f"trace.block{number}.y": y}
        if number == 0:
            found |= {
                f"block0.score_topk.{LETTERS[d[0]]}_to_{LETTERS[d[1]]}": torch.tensor(t).int()
                for d, t in block.chosen.items()
            }
        if number in config["skip_links"]:
            maps.insert(0, y)
    maps.insert(0, y)
    for number in range(len(config["skip_links"])):
        y = maps[number + 1]
        if fused:
            x = x + w.linear(f"skip_fuse_prior_volfeats.{number}", of_volume)
            known = torch.cat([maps[0], of_images], 1)
            y = y + w.linear(f"skip_fuse_prior_imfeats.{number}", known)
        elif number == 0:
            y = y + w.linear("skip_fuse_prior_imfeats.0", maps[0])
        block = formulas.SparseBlock(w, config, f"skip_blocks.{number}", blocks, tables)
        x, _ = block(x, y, both=False)
        found[f"trace.skip{number}.x"] = x
    if fused:
        gate = torch.sigmoid(w.linear("fuse_pred_volfeat", x))
        width = config["embed_dim"]
        x = x * gate[:, :width] + of_volume * gate[:, width:]
    found["trace.x_final_normed"] = formulas.norm(x) * w["norm.weight"] + w["norm.bias"]
    feature = voxels(w, config, x).permute(0, 2, 3, 4, 1).reshape(-1, config["output_dim"])
    return found | {"sparse_feat": feature}


def index_volume(scene: SparseScene, config: dict) -> dict[str, Tensor]:
    """Rows of every voxel, and how many there are."""
    upsample, side = config["upsample_scale"], config["vol_res"] * config["upsample_scale"]
    index = torch.full((scene.batch, side, side, side), -1).int()
    lengths = []
    for instance in range(scene.batch):
        own = scene.tokens("x", instance)
        inner = itertools.product(enumerate(own), itertools.product(range(upsample), repeat=3))
        for row, ((_, token), (dz, dy, dx)) in enumerate(inner):
            _, z, y, x = scene.rows["x"][token]
            index[instance, z * upsample + dz, y * upsample + dy, x * upsample + dx] = row
        lengths.append(len(own) * upsample**3)
    ends = torch.tensor([0, *itertools.accumulate(lengths)]).int()
    return {"index_volume": index, "cu_seqlens": ends, "seqlens": torch.tensor(lengths).int()}


VOLSDF = {
    "both": ("both", {"dim": 6, "input_dim": 5, "sdf_depth": 1, "rgb_depth": 2, "brdf_depth": 1}),
    "brdf": ("brdf", {"dim": 9, "input_dim": 4, "sdf_depth": 3, "rgb_depth": 1, "brdf_depth": 2}),
    "linear": ("rgb", {"dim": 9, "input_dim": 3, "sdf_depth": 0, "rgb_depth": 0, "brdf_depth": 0}),
}


def field_decoder_of(name: str) -> tuple[dict[str, Any], MlpDecoder]:
    """A case's settings, and a decoder for its names and shapes."""
    prediction, sizes = VOLSDF[name]
    config = sizes | {"prediction_type": prediction, "radius": 0.6}
    ours: Any = {"rgb": "rgb", "brdf": "pbr", "both": "both"}[prediction]
    depths = (sizes["sdf_depth"], sizes["rgb_depth"], sizes["brdf_depth"])
    return config, MlpDecoder(DecoderConfig(sizes["input_dim"], sizes["dim"], *depths, ours, 0.6))


def points_in(count: int, reach: float) -> Tensor:
    """Random points, some outside of the cube."""
    random = torch.Generator().manual_seed(count)
    return (torch.rand(count, 3, generator=random) * 2 - 1) * reach


@pytest.mark.parametrize("name", VOLSDF)
def test_dense_fields_of_other_sizes(tmp_path: Path, name: str) -> None:
    """Features, distances, colors and one step's opacity."""
    config, decoder = field_decoder_of(name)
    weights = random_weights(decoder, "decoder", seed=3)
    w, rho = part(weights, "volsdf"), config["radius"]
    volume = torch.randn(
        1, config["input_dim"], 4, 4, 4, generator=torch.Generator().manual_seed(1)
    )
    points = points_in(30, 0.7)
    feature = formulas.trilinear(volume[0].double(), points.double(), rho)
    distance = formulas.sdf(w, feature, points.double(), rho)
    color = formulas.image(w, feature)
    line = [-rho + 2 * rho * i / 4 for i in range(5)]
    grid = torch.tensor([[x, y, z] for z in line for y in line for x in line]).double()
    on_grid = formulas.sdf(w, formulas.trilinear(volume[0].double(), grid, rho), grid, rho)

    def alpha(value: Tensor, sharpness: float, step: float) -> Tensor:
        tail = torch.expm1(-value.abs() * sharpness)
        return 1 - torch.exp(-step * sharpness * (0.5 + 0.5 * torch.sign(value) * tail))

    expected = {"feature": feature, "sdf": distance[:, None], "image": color}
    expected |= {"grid_sdf_reverse": on_grid[None, :, None], "grid_points_reverse": grid[None]}
    expected["grid_alpha_reverse"] = alpha(on_grid, 33, 0.02)[None, :, None]
    expected["alpha.render_7.inv21"] = alpha(distance, 21, 0.05)[:, None]
    steps = {"infer_9": 0.02, "render_7": 0.05}
    document = {"kind": "volsdf_dense", "config": {"volsdf": config, "step_sizes": steps}}
    document["config"] |= {"inv_std": [21], "inv_std_dense": 33, "grid_N": 5}
    inputs = {"positions": points, "volume": volume}
    assert wrong(write_case(tmp_path / "case", document, weights, inputs, expected)) == []


@pytest.mark.parametrize("name", VOLSDF)
def test_two_level_fields_of_other_sizes(tmp_path: Path, name: str) -> None:
    """Missing corners, both decoders, and which of them decodes a point."""
    config, decoder = field_decoder_of(name)
    weights: dict[str, Tensor] = {}
    for seed, module in ((4, "volsdf"), (5, "volsdf_dense")):
        drawn = random_weights(decoder, "decoder", seed)
        weights |= {key.replace("volsdf.", f"{module}."): t for key, t in drawn.items()}
    random, rho, side = torch.Generator().manual_seed(2), config["radius"], 9
    dense = torch.randn(1, config["input_dim"], 3, 3, 3, generator=random)
    kept = torch.rand(side, side, side, generator=random) < 0.6
    index = torch.full((1, side, side, side), -1).int()
    index[0][kept] = torch.randperm(int(kept.sum()), generator=random).int()
    rows = torch.randn(int(kept.sum()), config["input_dim"], generator=random)
    points = points_in(60, 0.58)
    sparse_w, dense_w = part(weights, "volsdf"), part(weights, "volsdf_dense")
    position = points.double()
    feature = formulas.sparse_sample(rows.double(), index[0], dense[0].double(), position, rho)
    in_sparse = torch.cat(
        [
            formulas.sdf(sparse_w, feature, position, rho)[:, None],
            formulas.image(sparse_w, feature),
        ],
        1,
    )
    below = formulas.trilinear(dense[0].double(), position, rho)
    in_dense = torch.cat(
        [formulas.sdf(dense_w, below, position, rho)[:, None], formulas.image(dense_w, below)], 1
    )
    voxel = [
        [round(min(max(v + 0.5, 0), 1) * (side - 1)) for v in row] for row in position.tolist()
    ]
    is_sparse = torch.tensor([bool(index[0, z, y, x] >= 0) for x, y, z in voxel])
    expected = {
        "b0.feature": feature,
        "b0.sparse_sdf": in_sparse[:, :1],
        "b0.dense_sdf": in_dense[:, :1],
    }
    expected |= {"b0.sparse_image": in_sparse[:, 1:], "b0.is_sparse": is_sparse}
    expected["b0.combined_all"] = torch.where(is_sparse[:, None], in_sparse, in_dense)
    document: dict[str, Any] = {"kind": "volsdf_sparse"}
    document["config"] = {"volsdf": config, "volsdf_dense": config, "batch_size": 1, "inv_std": 90}
    document["config"] |= {"inv_std_dense": 40, "step_size": 0.01, "mesh_N": 3}
    inputs = {"positions": points, "cu_seqlens": torch.tensor([0, len(rows)]).int()}
    inputs |= {"index_volume": index, "dense_feat": dense, "sparse_feat": rows}
    inputs["occ_binaries"] = torch.ones(1, 6, 6, 6, dtype=torch.bool)
    assert wrong(write_case(tmp_path / "case", document, weights, inputs, expected)) == []
