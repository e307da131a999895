# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A field on disk: one safetensors file with its volumes, its decoders and its place in the world.

Tensors are named after where they belong, `fine/rows` or `coarse/decoder/sdf.0.weight`; what is no
tensor stands in the metadata as JSON under the key `field`.
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
from .decoders import Decoder, DirectDecoder, MlpDecoder
from .field import TwoLevelField, VolumeField
from .volumes import DenseVolume, SparseVolume

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

    from .field import Field

FORMAT = "lsrm-field-3"
ALONE, COARSE, FINE = "field", "coarse", "fine"


@dataclass(frozen=True)
class PlacedField:
    """A field and where it lies.

    Attributes:
        field: in the model's frame.
        normalization: from the world of the views to the normalized frame.
        rotation: rows of [3, 3], x_normalized = rotation @ x_model.
    """

    field: Field
    normalization: Normalization
    rotation: tuple[tuple[float, ...], ...]

    def write(self, path: Path) -> None:
        """Write the file; features and decoders of a network in half precision."""
        if isinstance(self.field, TwoLevelField):
            levels = {COARSE: self.field.coarse, FINE: self.field.fine}
        elif isinstance(self.field, VolumeField):
            levels = {ALONE: self.field}
        else:
            raise TypeError(f"a field made by {type(self.field).__name__} has no file format")
        tensors: dict[str, Tensor] = {}
        facts = {}
        for name, level in levels.items():
            found, facts[name] = _taken_apart(level, alone=name == ALONE)
            tensors |= {f"{name}/{key}": tensor.cpu().contiguous() for key, tensor in found.items()}
        metadata = {
            "format": FORMAT,
            "field": json.dumps(facts),
            "normalization": json.dumps(asdict(self.normalization)),
            "rotation": json.dumps(self.rotation),
        }
        path.write_bytes(save(tensors, metadata))  # as readable as the files beside it

    @classmethod
    def read(cls, path: Path) -> PlacedField:
        """Read what `write` wrote.

        Raises:
            ValueError: if the file is of another format.
        """
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise ValueError(f"{path} holds no field of the format {FORMAT}")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        levels: dict[str, VolumeField] = {}
        for name, facts in json.loads(metadata["field"]).items():
            start = f"{name}/"
            own = {key[len(start) :]: t for key, t in tensors.items() if key.startswith(start)}
            levels[name] = _put_together(own, facts, levels.get(COARSE))
        two = FINE in levels
        field = TwoLevelField(levels[COARSE], levels[FINE]) if two else levels[ALONE]
        place = json.loads(metadata["normalization"])
        rotation = tuple(map(tuple, json.loads(metadata["rotation"])))
        return cls(field, Normalization(tuple(place["center"]), place["scale"]), rotation)


def _taken_apart(level: VolumeField, *, alone: bool) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors of one level, and what else must be known of it."""
    volume, decoder = level.volume, level.decoder
    dense = volume if isinstance(volume, DenseVolume) else volume.coarse
    tensors: dict[str, Tensor] = {}
    facts: dict[str, Any] = {"half_side": dense.half_side, "inverse_std": level.inverse_std}
    if isinstance(volume, SparseVolume):
        # The places of the bricks in the order of their rows.
        numbers = volume.bricks.numbers
        places = torch.nonzero(numbers >= 0)
        order = torch.argsort(numbers[tuple(places.T)])
        tensors |= {"rows": volume.rows, "bricks": places[order].short()}
        facts |= {"resolution": volume.bricks.resolution, "brick_side": volume.bricks.side}
    if alone or volume is dense:
        tensors["features"] = dense.features
    if isinstance(decoder, MlpDecoder):
        facts["decoder"] = asdict(decoder.config)
        tensors |= {f"decoder/{name}": tensor for name, tensor in decoder.state_dict().items()}
        tensors = {k: t.half() if t.is_floating_point() else t for k, t in tensors.items()}
    elif isinstance(decoder, DirectDecoder):
        facts["appearance_channels"] = decoder.appearance_channels
    return tensors, facts


def _put_together(
    tensors: Mapping[str, Tensor], facts: Mapping[str, Any], coarse: VolumeField | None
) -> VolumeField:
    """The level that `_taken_apart` took apart; without features it lies over the coarse one."""
    if "features" in tensors:
        dense = DenseVolume(tensors["features"].float(), facts["half_side"])
    elif coarse and isinstance(coarse.volume, DenseVolume):
        dense = coarse.volume
    else:
        raise ValueError("a sparse volume without the dense one behind it")
    volume: DenseVolume | SparseVolume = dense
    if "rows" in tensors:
        side, places = facts["brick_side"], tensors["bricks"].long()
        numbers = torch.full((facts["resolution"] // side,) * 3, -1, dtype=torch.int32)
        numbers[tuple(places.T)] = torch.arange(len(places), dtype=torch.int32)
        volume = SparseVolume(tensors["rows"].float(), Bricks(numbers, side), dense)
    decoder: Decoder
    if "decoder" in facts:
        decoder = MlpDecoder(DecoderConfig(**facts["decoder"]))
        start = "decoder/"
        decoder.load_state_dict(
            {k[len(start) :]: t.float() for k, t in tensors.items() if k.startswith(start)}
        )
    else:
        decoder = DirectDecoder(facts["appearance_channels"])
    return VolumeField(volume, decoder, facts["inverse_std"])
