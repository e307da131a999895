# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small checkpoint with random weights in the layout of the release."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from backend.model.release.config import released_config
from backend.model.release.names import MODULES, to_release
from backend.model.stage import Stage
from backend.model.weights.checkpoint import STAGES

if TYPE_CHECKING:
    from torch import Tensor

    from backend.model.config.model_config import ModelConfig

TRAINED = {
    "embed_dim": 64,
    "patch_size": 32,
    "transformer_depth": 2,
    "skip_links": [1, 0],
    "mlp_ratio": 0.5,
    "volume_dim": 4,
    "mlp_dim": 8,
    "use_dino": "v3",
    "use_weight_norm": True,
    "use_decomposed_embed": True,
    "batch_size": 1,
}
DENSE = {**TRAINED, "volume_res": 3, "volume_upsample_scale": 2, "end_sdf_inv_std": 150.0}
SPARSE = {**TRAINED, "volume_res": 8, "fuse_all_layers": True, "output_dir": "/nowhere"}


def small_config(*, materials: bool) -> ModelConfig:
    return released_config(DENSE, SPARSE, materials=materials)


def stored(stage: Stage) -> dict[str, dict[str, Tensor]]:
    """The tensors of a stage as its training saved them: wrapper prefixes, released names."""
    prefixes = {"mvencoder": "module.", "voldecoder": "", "volsdf": "module."}
    return {
        released: {
            prefixes[released] + to_release(module, name): tensor.detach()
            for name, tensor in getattr(stage, module).state_dict().items()
        }
        for released, module in MODULES.items()
    }


def older(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The names of the older layout, one of them misspelt."""
    return {
        name.replace("y_2_x_attn_out.gate", "y_2_x_atten.gate")
        .replace("_attn_in.compression", "_attn.compression")
        .replace("_attn_out.gate", "_attn.gate"): tensor
        for name, tensor in tensors.items()
    }


def training_run(arguments: dict[str, Any]) -> dict[str, Any]:
    """What lies beside the weights in a training checkpoint."""
    state = {"state": {0: {"step": torch.tensor(7.0), "exp_avg": torch.ones(3)}}}
    run = argparse.Namespace(**arguments, data=Path("/nowhere"))
    return {"optimizer_fsdp": state, "epoch": 3, "args": run}


def small_stages() -> dict[str, Stage]:
    """Both stages with random weights, weight norm not folded."""
    torch.manual_seed(5)
    config = small_config(materials=True)
    stages = {name: Stage(getattr(config, name)) for name in STAGES}
    for stage in stages.values():
        for parameter in stage.parameters():
            parameter.data.normal_(0.0, 0.2)
    return stages


def write_small_release(folder: Path, stages: dict[str, Stage] | None = None) -> Path:
    """Write it as a folder `brdf` of the release, and return that folder."""
    models = stages or small_stages()
    (folder / "dense" / "checkpoints").mkdir(parents=True)
    (folder / "dense" / "args.txt").write_text(json.dumps(DENSE))
    torch.save(
        {**stored(models["dense"]), "pdecoder": {"w": torch.ones(2)}, **training_run(DENSE)},
        folder / "dense" / "checkpoints" / "last.pth",
    )
    sparse = stored(models["sparse"])
    torch.save(
        {**sparse, "voldecoder": older(sparse["voldecoder"]), **training_run(SPARSE)},
        folder / "sparse.pth",
    )
    return folder
