# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Data sets on disk: one safetensors file for each object, and an index of them.

Images and masks take 8 bits, normals and base color 16, cameras and depth 32.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch.utils.data import Dataset

from ...shared.atomic_folder import write_file_atomically
from ...shared.dataset_index import read_index
from ...shared.errors import BadDataset
from .sample import Sample

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

EIGHT_BITS = ("images", "masks", "roughness", "metallic")
HALF_FLOATS = ("normals", "base_color")
REQUIRED = ("images", "masks", "camera_to_world", "intrinsics")
TARGETS = ("depth", "normals", "base_color", "roughness", "metallic")


def write_sample(path: Path, sample: Sample) -> None:
    """Store a sample.

    Args:
        path: of the file, which is written atomically.
        sample: to be stored; its name is not.

    Raises:
        OSError: if it cannot be written.
    """
    stored = {name: _stored(name, tensor) for name, tensor in sample.tensors().items()}
    write_file_atomically(path, save(stored))


def read_sample(path: Path, name: str) -> Sample:
    """Read a sample.

    Raises:
        BadDataset: if the file is missing, cut short, or lacks a tensor or has another one.
    """
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise BadDataset(
            f"The sample {path} cannot be read: {error}.", "Make it again, or check the disk."
        ) from error
    missing = [each for each in REQUIRED if each not in tensors]
    unknown = sorted(tensors.keys() - {*REQUIRED, *TARGETS})
    if missing or unknown:
        raise BadDataset(
            f"The sample {path} lacks {missing} and has {unknown}.",
            "Make it again with this version of LSRM.",
        )
    read: dict[str, Any] = {key: _read(tensor) for key, tensor in tensors.items()}
    return Sample(name, **read)


class StoredDataset(Dataset[Sample]):
    """The samples of a folder with an index.

    Args:
        folder: that `render-dataset` has written.

    Raises:
        BadDataset: if its index cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._entries = read_index(folder)

    def __len__(self) -> int:
        """The number of samples."""
        return len(self._entries)

    def __getitem__(self, index: int) -> Sample:
        """Read one sample.

        Raises:
            BadDataset: if it is damaged.
        """
        entry = self._entries[index]
        return read_sample(self._folder / entry.file, entry.name)


def _stored(name: str, tensor: Tensor) -> Tensor:
    """A tensor in the precision that it is stored in."""
    tensor = tensor.detach().cpu()
    if name in EIGHT_BITS:
        tensor = (tensor.clamp(0.0, 1.0) * 255.0).round().to(torch.uint8)
    elif name in HALF_FLOATS:
        tensor = tensor.half()
    return tensor.contiguous()


def _read(tensor: Tensor) -> Tensor:
    """A stored tensor as float32."""
    return tensor.float() / 255.0 if tensor.dtype == torch.uint8 else tensor.float()
