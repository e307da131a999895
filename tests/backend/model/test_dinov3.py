# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""DINOv3 loads from the user's own file and computes what its authors' network does."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from backend.model.config.presets import preset
from backend.model.dinov3 import (
    IMAGE_MEAN,
    IMAGE_STD,
    DinoV3,
    DinoV3Config,
    ImageFeatures,
    patch_features,
)
from backend.model.weights.dinov3_files import load_dinov3
from backend.shared.errors import Cancelled, CheckpointMismatch, CheckpointMissing

if TYPE_CHECKING:
    from pathlib import Path

SMALL = DinoV3Config(width=48, depth=2, heads=3, hidden=64)
# A few float32 roundings of values around one.
SAME = 2e-6


@pytest.fixture(scope="module")
def network() -> DinoV3:
    """A small network with every parameter random."""
    torch.manual_seed(3)
    network = DinoV3(SMALL).eval().requires_grad_(requires_grad=False)
    for parameter in network.parameters():
        parameter.normal_(0.0, 0.3)
    return network


@pytest.fixture
def original(network: DinoV3, tmp_path: Path) -> Path:
    """Its weights as the authors store them."""
    torch.save(network.state_dict(), tmp_path / "dinov3.pth")
    return tmp_path / "dinov3.pth"


def images(count: int = 2, height: int = 48, width: int = 80) -> Tensor:
    return torch.randn(count, 3, height, width, generator=torch.Generator().manual_seed(1))


def save_as_transformers(network: DinoV3, folder: Path, layer: str) -> None:
    """The weights under the names of a `transformers` folder."""
    names = {
        "cls_token": "embeddings.cls_token",
        "storage_tokens": "embeddings.register_tokens",
        "patch_embed.proj.weight": "embeddings.patch_embeddings.weight",
        "patch_embed.proj.bias": "embeddings.patch_embeddings.bias",
        "norm.weight": "norm.weight",
        "norm.bias": "norm.bias",
    }
    state = network.state_dict()
    tensors = {renamed: state[original] for original, renamed in names.items()}
    tensors["embeddings.mask_token"] = state["mask_token"][None]
    parts = {
        "attn.proj": "attention.o_proj",
        "ls1.gamma": "layer_scale1.lambda1",
        "ls2.gamma": "layer_scale2.lambda1",
        "mlp.w1": "mlp.gate_proj",
        "mlp.w2": "mlp.up_proj",
        "mlp.w3": "mlp.down_proj",
        "norm1": "norm1",
        "norm2": "norm2",
    }
    for name, tensor in state.items():
        if not name.startswith("blocks."):
            continue
        _, number, rest = name.split(".", 2)
        prefix = f"{layer}.{number}."
        for original, renamed in parts.items():
            if rest.startswith(original):
                tensors[prefix + renamed + rest.removeprefix(original)] = tensor
        if rest in ("attn.qkv.weight", "attn.qkv.bias"):
            for letter, part in zip("qkv", tensor.chunk(3), strict=True):
                if (letter, rest[-4:]) != ("k", "bias"):
                    tensors[f"{prefix}attention.{letter}_proj.{rest.split('.')[-1]}"] = part
    folder.mkdir()
    save_file(
        {name: tensor.contiguous() for name, tensor in tensors.items()}, folder / "m.safetensors"
    )
    described = {
        "hidden_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 3,
        "intermediate_size": 64,
        "num_register_tokens": 4,
        "patch_size": 16,
    }
    (folder / "config.json").write_text(json.dumps(described))


def test_original_file_loads_as_it_is(network: DinoV3, original: Path) -> None:
    """LSRM uses the authors' names, takes sizes from the shapes, and loads every tensor."""
    loaded = load_dinov3(original)
    assert loaded.config == SMALL
    assert torch.equal(loaded(images()), network(images()))
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


@pytest.mark.parametrize("layer", ["layer", "model.layer"])
def test_transformers_folders_load_in_both_layouts(
    network: DinoV3, tmp_path: Path, layer: str
) -> None:
    """Newer and older names of a transformers folder give the same network."""
    save_as_transformers(network, tmp_path / "folder", layer)
    loaded = load_dinov3(tmp_path / "folder")
    assert torch.equal(loaded(images()), network(images()))


def test_names_are_those_of_the_original_file() -> None:
    """The full-size network has exactly the parameters that the authors' file holds."""
    with torch.device("meta"):
        state = DinoV3(DinoV3Config()).state_dict()
    block = "norm1.weight norm1.bias attn.qkv.weight attn.qkv.bias attn.qkv.bias_mask "
    block += "attn.proj.weight attn.proj.bias ls1.gamma norm2.weight norm2.bias mlp.w1.weight "
    block += "mlp.w1.bias mlp.w2.weight mlp.w2.bias mlp.w3.weight mlp.w3.bias ls2.gamma"
    expected = {f"blocks.{number}.{name}" for number in range(32) for name in block.split()}
    expected |= {"cls_token", "storage_tokens", "mask_token", "rope_embed.periods"}
    expected |= {"patch_embed.proj.weight", "patch_embed.proj.bias", "norm.weight", "norm.bias"}
    assert state.keys() == expected
    learned = sum(tensor.numel() for name, tensor in state.items() if "bias_mask" not in name)
    # transformers counts 840.59 M without the zero key biases and the frequencies.
    assert round((learned - 32 * 1280 - 16) / 1e6, 2) == 840.59


def test_agrees_with_transformers(tmp_path: Path) -> None:
    """Random weights give the numbers of the library's implementation, non-square images too."""
    transformers = pytest.importorskip("transformers", reason="needs the extra `parity`")
    torch.manual_seed(0)
    described = transformers.DINOv3ViTConfig(
        hidden_size=48,
        intermediate_size=64,
        num_hidden_layers=3,
        num_attention_heads=3,
        num_register_tokens=4,
        use_gated_mlp=True,
        hidden_act="silu",
    )
    renamed = transformers.DINOv3ViTModel(described).eval().requires_grad_(requires_grad=False)
    for parameter in renamed.parameters():
        parameter.normal_(0.0, 0.3)
    renamed.save_pretrained(tmp_path / "saved")
    expected = renamed(images()).last_hidden_state[:, 5:]
    assert expected.abs().max() > 0.5
    assert (load_dinov3(tmp_path / "saved")(images()) - expected).abs().max() < SAME


# Made with transformers 5.23.0 from the weights and the image of the test below.
STORED = [
    [0.4215517640, -0.2632851005, -0.3549923599, 0.4161562324],
    [0.4106123745, -0.2376447618, -0.3436255753, 0.3892942071],
    [0.3992067277, -0.2134185433, -0.3325934410, 0.3622824848],
    [0.4457284510, -0.3132893443, -0.3744488358, 0.4620484710],
    [0.4444587529, -0.3109710611, -0.3739392459, 0.4619939327],
    [0.4390338361, -0.3008005553, -0.3701035082, 0.4534161985],
]


def test_agrees_with_stored_numbers() -> None:
    """Weights and an image that are sines give the numbers that transformers gave for them."""

    def sine(shape: torch.Size, step: float, start: float) -> Tensor:
        return torch.sin(step * torch.arange(shape.numel()).double() + start).view(shape)

    network = DinoV3(SMALL).eval().requires_grad_(requires_grad=False)
    for number, (_, parameter) in enumerate(sorted(network.named_parameters())):
        parameter.copy_(0.4 * sine(parameter.shape, 1.7, number))
    found = network(sine(torch.Size((1, 3, 32, 48)), 0.37, 0.0).float())[0, :, ::12]
    assert (found - torch.tensor(STORED)).abs().max() < SAME


def test_key_bias_is_masked(network: DinoV3, original: Path) -> None:
    """Whatever bias the file holds for the keys, it has no effect."""
    state = torch.load(original)
    state["blocks.0.attn.qkv.bias"][48:96] = 100.0
    torch.save(state, original)
    assert torch.equal(load_dinov3(original)(images()), network(images()))


def test_positions_are_relative_to_the_frame(network: DinoV3) -> None:
    """Equal patches at different positions give different tokens, by the rotation alone."""
    tokens = network(torch.ones(1, 3, 32, 48))[0]
    assert (tokens[0] - tokens[-1]).abs().max() > 1e-3
    turn = network.rope_embed(2, 3)
    # Row 0 of two lies at -0.5, and the first period is 1: the angle is -pi.
    assert torch.allclose(turn.cos[0, 0], torch.tensor(-1.0))
    assert turn.cos.shape == (6, SMALL.head_width)


@pytest.mark.parametrize("resample", ["bilinear", "area"])
def test_features_match_the_patches_of_lsrm(network: DinoV3, resample: str) -> None:
    """One feature per 8-pixel patch, from the view enlarged the way its stage enlarges it."""
    views = images(3, 32, 32).clamp(-1, 1)
    found = patch_features(network, views, 8, resample)
    colors = 0.5 * (views + 1)
    enlarged = (
        F.interpolate(colors, scale_factor=2, mode="bilinear")
        if resample == "bilinear"
        else colors.repeat_interleave(2, 2).repeat_interleave(2, 3)
    )
    mean, std = (torch.tensor(values)[:, None, None] for values in (IMAGE_MEAN, IMAGE_STD))
    expected = network((enlarged - mean) / std)
    assert found.shape == (3, 16, 48)
    assert torch.allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(("stage", "resample"), [("dense", "bilinear"), ("sparse", "area")])
def test_stages_enlarge_views_in_their_own_way(network: DinoV3, stage: str, resample: str) -> None:
    """QUIRK 2: the dense stage interpolates, the sparse one repeats pixels."""
    views = images(1, 32, 32).clamp(-1, 1)
    found = ImageFeatures(network)(views, getattr(preset("lsrm-rgb"), stage))
    assert torch.equal(found, patch_features(network, views, 8, resample))
    half = copy.deepcopy(network).bfloat16()
    halved = ImageFeatures(half)(views, getattr(preset("lsrm-rgb"), stage))
    assert halved.dtype == torch.bfloat16
    # Two blocks at eight bits of mantissa, on features of size one.
    assert (halved.float() - found).abs().mean() < 0.03 * found.abs().mean()


def test_image_features_stop_between_blocks(network: DinoV3) -> None:
    """What is called before each block, of each view, ends the work by raising."""
    calls = []

    def between() -> None:
        calls.append(len(calls))
        if len(calls) == 3:
            raise Cancelled("Stopped.", "Start again.")

    features = ImageFeatures(network, between)
    with pytest.raises(Cancelled):
        features(images(2, 32, 32), preset("lsrm-rgb").dense)
    assert len(calls) == SMALL.depth + 1


def test_very_large_views_are_limited(network: DinoV3) -> None:
    """Above 2048 pixels the sparse stage shrinks its views and enlarges the features."""
    found = patch_features(network, torch.zeros(1, 3, 2304, 2304), 256, "area")
    assert found.shape == (1, 81, 48)


def test_other_files_are_refused(network: DinoV3, original: Path, tmp_path: Path) -> None:
    """A wrong, changed or missing file is an error that says what differs."""
    state = torch.load(original)
    state["blocks.1.ls2.gamma"] = torch.ones(7)
    del state["norm.bias"]
    torch.save(state, original)
    with pytest.raises(CheckpointMismatch, match=r"missing: norm\.bias.*gamma \(7,\) instead"):
        load_dinov3(original)
    torch.save({"weight": torch.ones(1)}, original)
    with pytest.raises(CheckpointMismatch, match="no DINOv3"):
        load_dinov3(original)
    torch.save([1, 2], original)
    with pytest.raises(CheckpointMismatch, match="no plain list of tensors"):
        load_dinov3(original)
    with pytest.raises(CheckpointMissing):
        load_dinov3(tmp_path / "nothing.pth")
    with pytest.raises(CheckpointMissing, match=r"config\.json"):
        load_dinov3(tmp_path)
    save_as_transformers(network, tmp_path / "folder", "layer")
    save_file(
        {"layer.0.attention.q_proj.weight": torch.ones(48, 48)}, tmp_path / "folder/m.safetensors"
    )
    with pytest.raises(CheckpointMismatch, match="missing: cls_token"):
        load_dinov3(tmp_path / "folder")
