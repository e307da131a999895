# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""DINOv3 weights from the user's own file: the original `.pth`, or a `transformers` folder."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import torch

from ...shared.errors import CheckpointMismatch, CheckpointMissing
from ..dinov3 import DinoV3, DinoV3Config, MaskedBiasLinear, RotaryEmbedding
from .tensor_files import load_strictly, read_pickle, read_safetensors

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

_REMEDY = "Download ViT-H/16+ (dinov3_vith16plus_pretrain) from its authors and try again."

# Names in a transformers folder, without the "model." that newer versions put before layers.
_SINGLE = {
    "embeddings.cls_token": "cls_token",
    "embeddings.mask_token": "mask_token",
    "embeddings.register_tokens": "storage_tokens",
    "embeddings.patch_embeddings.weight": "patch_embed.proj.weight",
    "embeddings.patch_embeddings.bias": "patch_embed.proj.bias",
    "norm.weight": "norm.weight",
    "norm.bias": "norm.bias",
}
_IN_LAYER = {
    "norm1": "norm1",
    "norm2": "norm2",
    "attention.o_proj": "attn.proj",
    "layer_scale1.lambda1": "ls1.gamma",
    "layer_scale2.lambda1": "ls2.gamma",
    "mlp.gate_proj": "mlp.w1",
    "mlp.up_proj": "mlp.w2",
    "mlp.down_proj": "mlp.w3",
}
_LAYER = re.compile(r"(?:model\.)?layer\.(\d+)\.(.+)")
_PROJECTION = re.compile(r"attention\.([qkv])_proj\.(weight|bias)")


def load_dinov3(path: Path, width: int | None = None) -> DinoV3:
    """The network with the weights of a file, strictly: every tensor used, none left.

    Args:
        path: of a `.pth`, or of a folder with `config.json` and `*.safetensors`.
        width: channels that the checkpoint reads; None takes any.

    Raises:
        CheckpointMissing: if there is nothing there.
        CheckpointMismatch: if it is damaged or not such a network, with every difference, or one of
            another width.
    """
    if path.is_dir():
        config, tensors = _read_folder(path)
    else:
        tensors = _read_original(path)
        config = _config_of(tensors, path)
    if width is not None and config.width != width:
        raise CheckpointMismatch(
            f"{path} has features of {config.width} channels; the checkpoint reads {width}.",
            _REMEDY,
        )
    with torch.device("meta"):
        network = DinoV3(config)
    load_strictly(network, {n: t.float() for n, t in tensors.items()}, path, _REMEDY)
    return network.eval().requires_grad_(requires_grad=False)


def loaded_size(path: Path, dtype: torch.dtype) -> int:
    """Bytes that a file or folder of float32 weights takes once loaded in another dtype."""
    files = [path] if path.is_file() else list(path.glob("*.safetensors"))
    return sum(file.stat().st_size for file in files) // 4 * dtype.itemsize


def _read_original(path: Path) -> dict[str, Tensor]:
    content = read_pickle(path)
    if not (isinstance(content, dict) and all(torch.is_tensor(v) for v in content.values())):
        raise CheckpointMismatch(f"{path} is no plain list of tensors.", _REMEDY)
    return content


def _config_of(tensors: Mapping[str, Tensor], path: Path) -> DinoV3Config:
    """The sizes of the network, from the shapes in an original file."""
    try:
        width = tensors["cls_token"].shape[-1]
        return DinoV3Config(
            width=width,
            depth=1 + max(int(n.split(".")[1]) for n in tensors if n.startswith("blocks.")),
            heads=width // (4 * len(tensors["rope_embed.periods"])),
            hidden=len(tensors["blocks.0.mlp.w1.weight"]),
            registers=tensors["storage_tokens"].shape[1],
            patch_size=tensors["patch_embed.proj.weight"].shape[-1],
        )
    except (KeyError, ValueError, ZeroDivisionError) as error:
        raise CheckpointMismatch(
            f"{path} is no DINOv3 network with SwiGLU layers: it lacks {error}.", _REMEDY
        ) from error


def _read_folder(folder: Path) -> tuple[DinoV3Config, dict[str, Tensor]]:
    files = sorted(folder.glob("*.safetensors"))
    if not files or not (folder / "config.json").is_file():
        raise CheckpointMissing(f"{folder} holds no config.json with *.safetensors.", _REMEDY)
    try:
        described: dict[str, Any] = json.loads((folder / "config.json").read_text("utf-8"))
        config = DinoV3Config(
            width=described["hidden_size"],
            depth=described["num_hidden_layers"],
            heads=described["num_attention_heads"],
            hidden=described["intermediate_size"],
            registers=described["num_register_tokens"],
            patch_size=described["patch_size"],
            rope_base=described.get("rope_theta", 100.0),
            norm_eps=described.get("layer_norm_eps", 1e-5),
        )
    except (ValueError, KeyError) as error:
        raise CheckpointMismatch(f"{folder}/config.json lacks {error}.", _REMEDY) from error
    return config, _original_names(dict(read_safetensors(files)), config)


def _original_names(tensors: Mapping[str, Tensor], config: DinoV3Config) -> dict[str, Tensor]:
    """A transformers folder's tensors under the original names; unknown names are kept.

    The key bias, which is always zero, and the frequencies are not stored there.
    """
    renamed = {"rope_embed.periods": RotaryEmbedding(config).periods}
    mask = MaskedBiasLinear(1, 3 * config.width).bias_mask
    parts: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        layer = _LAYER.fullmatch(name)
        projection = layer and _PROJECTION.fullmatch(layer[2])
        if layer and projection:
            target = f"blocks.{layer[1]}.attn.qkv.{projection[2]}"
            parts.setdefault(target, {})[projection[1]] = tensor
        else:
            renamed[_original_name(name)] = tensor
    for name, part in parts.items():
        if name.endswith("bias"):
            part.setdefault("k", torch.zeros(config.width))
            renamed[f"{name}_mask"] = mask
        if set(part) == set("qkv"):
            renamed[name] = torch.cat([part[letter] for letter in "qkv"])
    if "mask_token" in renamed:
        renamed["mask_token"] = renamed["mask_token"].reshape(1, -1)
    return renamed


def _original_name(name: str) -> str:
    layer = _LAYER.fullmatch(name)
    if not layer:
        return _SINGLE.get(name, name)
    for transformers_name, original in _IN_LAYER.items():
        if layer[2].startswith(transformers_name):
            return f"blocks.{layer[1]}.{original}{layer[2].removeprefix(transformers_name)}"
    return name
