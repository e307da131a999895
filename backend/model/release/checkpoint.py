# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a released checkpoint: its files, its names, its weight norm, every tensor accounted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from ...shared.errors import CheckpointMismatch, CheckpointMissing
from ..weights.checkpoint import STAGES, StageName, empty_stage, shapes_of
from ..weights.tensor_files import Differences, read_pickle
from ..weights.weight_norm import WEIGHT_NORM, fold_weight
from .config import pickled_arguments, read_arguments, released_config
from .names import MODULES, current_name, to_release

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from torch import Tensor

    from ..config.model_config import ModelConfig, StageConfig

# What a training run stores beside the weights; inference needs none of it.
LEFT_OUT = ("pdecoder", "optimizer_fsdp", "optimizer_ddp", "epoch", "start_it", "args")
_REMEDY = "Download the released files again, and keep their folders as they are."


@dataclass(frozen=True)
class ReleasedStage:
    """One stage of a released checkpoint; its tensors are still on disk.

    Attributes:
        path: of the file.
        tensors: under `<module of LSRM>.<released name>`, weight norm not folded.
        left_out: entries of the file that inference does not need.
    """

    path: Path
    tensors: Mapping[str, Tensor]
    left_out: tuple[str, ...]

    def check(self, config: StageConfig) -> None:
        """Compare every tensor with the model it was trained as.

        Raises:
            CheckpointMismatch: listing every difference under the released names.
        """
        found = {name: tuple(tensor.shape) for name, tensor in self.tensors.items()}
        wanted = {
            _renamed(to_release, name): shape
            for name, shape in shapes_of(empty_stage(config)).items()
        }
        Differences.between(found, wanted).check(self.path, _REMEDY)

    def folded(self, config: StageConfig) -> Iterator[tuple[str, Tensor]]:
        """LSRM's tensors one by one, in the order of the model with these sizes."""
        for name in shapes_of(empty_stage(config)):
            released = _renamed(to_release, name)
            if released in self.tensors:
                yield name, self.tensors[released]
            else:
                stem = released.removesuffix("weight")
                yield name, fold_weight(*(self.tensors[stem + part] for part in WEIGHT_NORM))


@dataclass(frozen=True)
class ReleasedCheckpoint:
    """Both stages, checked against the model.

    Attributes:
        config: for inference, the weight norm folded.
        stages: by name.
    """

    config: ModelConfig
    stages: Mapping[StageName, ReleasedStage]

    def tensors(self) -> dict[StageName, Iterator[tuple[str, Tensor]]]:
        """For each stage LSRM's tensors, one by one."""
        return {
            name: stage.folded(getattr(self.config, name)) for name, stage in self.stages.items()
        }


def read_release(folder: Path) -> ReleasedCheckpoint:
    """Open a released checkpoint: `dense/args.txt`, `dense/checkpoints/last.pth`, `sparse.pth`.

    Raises:
        CheckpointMissing: if a file is.
        CheckpointMismatch: if a file is damaged, harmful or not what the model needs.
    """
    paths: dict[StageName, Path] = {
        "dense": folder / "dense" / "checkpoints" / "last.pth",
        "sparse": folder / "sparse.pth",
    }
    absent = [str(path) for path in paths.values() if not path.is_file()]
    if absent:
        raise CheckpointMissing(f"There is no {' and no '.join(absent)}.", _REMEDY)
    dense_arguments = read_arguments(folder / "dense" / "args.txt")
    contents = {name: _read_content(path, name) for name, path in paths.items()}
    config = released_config(
        dense_arguments,
        pickled_arguments(contents["sparse"]),
        materials=_predicts_materials(contents["sparse"]),
    )
    stages = {name: _stage(paths[name], contents[name]) for name in STAGES}
    for name, stage in stages.items():
        stage.check(getattr(config, name))
    return ReleasedCheckpoint(_without_weight_norm(config), stages)


def _read_content(path: Path, stage: StageName) -> dict[str, Any]:
    loaded = read_pickle(path)
    content: dict[str, Any] = loaded if isinstance(loaded, dict) else {}
    absent = [module for module in MODULES if not isinstance(content.get(module), dict)]
    if absent:
        raise CheckpointMismatch(f"{path} is no LSRM checkpoint: no {', '.join(absent)}.", _REMEDY)
    unknown = sorted(map(str, content.keys() - {*MODULES, *LEFT_OUT}))
    if unknown:
        raise CheckpointMismatch(f"{path} holds unknown entries: {', '.join(unknown)}.", _REMEDY)
    found = "sparse" if any("compression" in name for name in content["voldecoder"]) else "dense"
    if found != stage:
        raise CheckpointMismatch(f"{path} holds the {found} stage, not the {stage} one.", _REMEDY)
    return content


def _predicts_materials(content: Mapping[str, Any]) -> bool:
    return any(current_name(name).startswith("mlp_basecolor.") for name in content["volsdf"])


def _stage(path: Path, content: Mapping[str, Any]) -> ReleasedStage:
    tensors: dict[str, Tensor] = {}
    for released_module, module in MODULES.items():
        for stored, tensor in content[released_module].items():
            name = f"{module}.{current_name(stored)}"
            if name in tensors or not torch.is_tensor(tensor):
                what = "twice" if name in tensors else "and it is no tensor"
                raise CheckpointMismatch(
                    f"{path} holds {released_module} {stored} {what}.", _REMEDY
                )
            tensors[name] = tensor
    return ReleasedStage(path, tensors, tuple(name for name in LEFT_OUT if name in content))


def _renamed(translate: Any, name: str) -> str:
    """Translate what follows the module of a name."""
    module, _, rest = name.partition(".")
    return f"{module}.{translate(module, rest)}"


def _without_weight_norm(config: ModelConfig) -> ModelConfig:
    dense, sparse = (
        replace(stage, transformer=replace(stage.transformer, weight_norm=False))
        for stage in (config.dense, config.sparse)
    )
    return replace(config, dense=dense, sparse=sparse)
