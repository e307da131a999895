# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A field on disk: a safetensors file with its volumes, its decoders and its pose in the world.

Tensors are named after the level they belong to, `sparse/rows` or `coarse/decoder/sdf.0.weight`.
The metadata holds as JSON what is no tensor; of the levels, under the key `field`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch
from safetensors import safe_open
from safetensors.torch import save

from kernels.core.sparse_grid import Bricks

from ..shared.cameras import Normalization
from .config import DecoderConfig
from .decoders import DirectDecoder, MlpDecoder
from .field import TwoLevelField, VolumeField
from .volumes import DenseVolume, SparseVolume

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

    from .decoders import Decoder
    from .field import Field

FORMAT = "lsrm-field-3"
SINGLE, COARSE, SPARSE = "field", "coarse", "sparse"
_DECODER = "decoder/"


@dataclass(frozen=True)
class PosedField:
    """A field and its pose in the world of the views.

    Attributes:
        field: in the model's frame.
        normalization: from the world of the views to the normalized frame.
        rotation: rows of [3, 3], x_normalized = rotation @ x_model.
    """

    field: Field
    normalization: Normalization
    rotation: tuple[tuple[float, ...], ...]

    def write(self, path: Path) -> None:
        """Write the file; features and decoders of a network in half precision.

        Raises:
            TypeError: if the field is not made of volumes.
        """
        tensors: dict[str, Tensor] = {}
        settings = {}
        for name, level in _levels_of(self.field).items():
            settings[name] = level.settings
            tensors |= {f"{name}/{key}": t.cpu().contiguous() for key, t in level.tensors.items()}
        metadata = {
            "format": FORMAT,
            "field": json.dumps(settings),
            "normalization": json.dumps(asdict(self.normalization)),
            "rotation": json.dumps(self.rotation),
        }
        content = _with_sorted_metadata(save(tensors, metadata))
        path.write_bytes(content)  # as readable as the files beside it

    @classmethod
    def read(cls, path: Path) -> PosedField:
        """Read what `write` wrote.

        Raises:
            ValueError: if the file is of another format.
        """
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise ValueError(f"{path} holds no field of the format {FORMAT}")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        levels = {
            name: _StoredLevel(_below(f"{name}/", tensors), settings)
            for name, settings in json.loads(metadata["field"]).items()
        }
        similarity = json.loads(metadata["normalization"])
        normalization = Normalization(tuple(similarity["center"]), similarity["scale"])
        rotation = tuple(map(tuple, json.loads(metadata["rotation"])))
        return cls(_field_of(levels), normalization, rotation)


def _with_sorted_metadata(content: bytes) -> bytes:
    """The same safetensors file; the library stores metadata in an order that differs by run."""
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    return content[:8] + text.ljust(size) + content[8 + size :]


@dataclass(frozen=True)
class _StoredLevel:
    """One level of a field as the file holds it.

    Attributes:
        tensors: by name, without the level.
        settings: what is no tensor.
    """

    tensors: dict[str, Tensor]
    settings: dict[str, Any]

    @classmethod
    def of(
        cls, level: VolumeField[DenseVolume | SparseVolume], *, with_dense: bool
    ) -> _StoredLevel:
        """The level, with or without the features of the dense volume it has or lies over."""
        volume, decoder = level.volume, level.decoder
        dense = volume.coarse if isinstance(volume, SparseVolume) else volume
        tensors: dict[str, Tensor] = {"features": dense.features} if with_dense else {}
        settings: dict[str, Any] = {"half_side": dense.half_side, "inverse_std": level.inverse_std}
        if isinstance(volume, SparseVolume):
            # The positions of the bricks in the order of their rows.
            numbers = volume.bricks.numbers
            bricks = torch.nonzero(numbers >= 0)
            order = torch.argsort(numbers[tuple(bricks.T)])
            tensors |= {"rows": volume.rows, "bricks": bricks[order].short()}
            settings |= {"resolution": volume.bricks.resolution, "brick_side": volume.bricks.side}
        if isinstance(decoder, MlpDecoder):
            settings["decoder"] = asdict(decoder.config)
            tensors |= {_DECODER + name: tensor for name, tensor in decoder.state_dict().items()}
            tensors = {k: t.half() if t.is_floating_point() else t for k, t in tensors.items()}
        elif isinstance(decoder, DirectDecoder):
            settings["appearance_channels"] = decoder.appearance_channels
        return cls(tensors, settings)

    @property
    def inverse_std(self) -> float:
        """Sharpness of the density."""
        return float(self.settings["inverse_std"])

    def decoder(self) -> Decoder:
        """The decoder with its weights, in float32."""
        if "decoder" not in self.settings:
            return DirectDecoder(self.settings["appearance_channels"])
        decoder = MlpDecoder(DecoderConfig(**self.settings["decoder"]))
        weights = _below(_DECODER, self.tensors)
        decoder.load_state_dict({name: tensor.float() for name, tensor in weights.items()})
        return decoder

    def dense_volume(self) -> DenseVolume:
        """The dense volume, in float32."""
        return DenseVolume(self.tensors["features"].float(), self.settings["half_side"])

    def sparse_volume(self, dense: DenseVolume) -> SparseVolume:
        """The sparse volume over a dense one, in float32."""
        side, bricks = self.settings["brick_side"], self.tensors["bricks"].long()
        numbers = torch.full((self.settings["resolution"] // side,) * 3, -1, dtype=torch.int32)
        numbers[tuple(bricks.T)] = torch.arange(len(bricks), dtype=torch.int32)
        return SparseVolume(self.tensors["rows"].float(), Bricks(numbers, side), dense)


def _levels_of(field: Field) -> dict[str, _StoredLevel]:
    """The levels of a field by their names; the dense volume that two levels share comes once."""
    if isinstance(field, TwoLevelField):
        return {
            COARSE: _StoredLevel.of(field.coarse, with_dense=True),
            SPARSE: _StoredLevel.of(field.sparse, with_dense=False),
        }
    if isinstance(field, VolumeField):
        return {SINGLE: _StoredLevel.of(field, with_dense=True)}
    raise TypeError(f"a {type(field).__name__} has no file format")


def _field_of(levels: Mapping[str, _StoredLevel]) -> Field:
    """The field that `_levels_of` divided."""
    if SINGLE in levels:
        single = levels[SINGLE]
        dense = single.dense_volume()
        volume = single.sparse_volume(dense) if "rows" in single.tensors else dense
        return VolumeField(volume, single.decoder(), single.inverse_std)
    coarse, sparse = levels[COARSE], levels[SPARSE]
    dense = coarse.dense_volume()
    return TwoLevelField(
        VolumeField(dense, coarse.decoder(), coarse.inverse_std),
        VolumeField(sparse.sparse_volume(dense), sparse.decoder(), sparse.inverse_std),
    )


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names begin with a prefix, without it."""
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
