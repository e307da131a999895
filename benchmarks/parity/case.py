# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A golden case on disk: its settings, weights, inputs and expected outputs."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from backend.model.release.names import from_release
from backend.shared.errors import LsrmError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from torch import Tensor, nn


@dataclass(frozen=True)
class Case:
    """One folder of the golden data.

    Attributes:
        folder: of the case.
        kind: which part of the model it is about.
        config: sizes and switches.
        weights: by released names, after the name of the module.
        inputs: tensors by name.
        expected: results by name.
    """

    folder: Path
    kind: str
    config: dict[str, Any]
    weights: dict[str, Tensor]
    inputs: dict[str, Tensor]
    expected: dict[str, Tensor]

    def load(self, module: nn.Module, prefix: str, kind: str) -> None:
        """Load the weights with a prefix into a module of LSRM, strictly.

        Args:
            module: of a stage.
            prefix: of the released names, with its dot.
            kind: "encoder", "transformer" or "decoder": which part of the name table is meant.
        """
        state = {
            from_release(kind, name.removeprefix(prefix)): tensor
            for name, tensor in self.weights.items()
            if name.startswith(prefix)
        }
        module.load_state_dict(state)

    def load_part(self, module: nn.Module, prefixes: Mapping[str, str], inside: str) -> None:
        """Load weights that were stored for a lone part of a transformer, strictly.

        Args:
            module: the part.
            prefixes: of the stored names, and for each the prefix in the released transformer.
            inside: the prefix of the part in the transformer of LSRM, with its dot.
        """
        state = {}
        for name, tensor in self.weights.items():
            for prefix, released in prefixes.items():
                if name.startswith(prefix):
                    own = from_release("transformer", released + name.removeprefix(prefix))
                    state[own.removeprefix(inside)] = tensor
        module.load_state_dict(state)


@dataclass(frozen=True)
class Produced:
    """What LSRM computes for a case.

    Attributes:
        tensors: under the names of the expected ones.
        wrong_rows: for tensors with ties, a function that counts the wrong rows of one, given the
            computed and the expected tensor.
    """

    tensors: Mapping[str, Tensor]
    wrong_rows: Mapping[str, Callable[[Tensor, Tensor], int]] = field(default_factory=dict)


def read_case(folder: Path) -> Case:
    """Read a case; float8 and float16 are only how it is stored.

    Raises:
        LsrmError: if the folder is no golden case, or a file of it is missing or broken.
    """
    try:
        description = json.loads((folder / "case.json").read_text(encoding="utf-8"))
        weights: dict[str, Tensor] = {}
        for entry in description.get("weights_files", []):
            wanted = entry.get("only_prefix", "")
            stored = _read(folder / entry["file"])
            weights |= {name: t for name, t in stored.items() if name.startswith(wanted)}
        inputs = folder / "inputs.safetensors"
        return Case(
            folder,
            description["kind"],
            description["config"],
            weights,
            _read(inputs) if inputs.is_file() else {},
            _read(folder / "outputs.safetensors"),
        )
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise LsrmError(
            f"{folder} is no readable golden case: {error}.",
            "Name a folder with case.json and the tensors it lists.",
        ) from error


def _read(path: Path) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = load_file(path)
    return {name: t.float() if t.is_floating_point() else t for name, t in tensors.items()}


def scalar(value: int) -> Tensor:
    """A number as the int32 tensor that cases store."""
    return torch.tensor(value, dtype=torch.int32)
