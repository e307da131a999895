# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the parent and its workers exchange: safetensors in a folder that is private to the job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safetensors.torch import load_file, save

from ..model.encoder import EncoderInputs
from ..model.routing.routes import BlockTables, Plan, Routes
from ..model.routing.routing_tables import SparseTokens, layout, plan_by_score
from ..model.stage import SparseBatch
from ..model.stage_fusion import DenseFeatures
from ..shared.errors import write_failure

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from torch import Tensor

    from ..model.config.model_config import ModelConfig

BATCH, ROWS = "batch.safetensors", "rows.safetensors"


def write_batch(folder: Path, batch: SparseBatch) -> None:
    """Write what the sparse stage reads of one object.

    Raises:
        DiskFull: if it does not fit.
        OutputNotWritable: if it cannot be written for another reason.
    """
    tables = batch.plan.routes.tables if batch.plan.routes else None
    parts = {"inputs": batch.inputs, "features": batch.features, "tables": tables}
    named: dict[str, Tensor | None] = {
        f"{part}.{name}": tensor
        for part, values in parts.items()
        if values is not None
        for name, tensor in vars(values).items()
    }
    named |= {"tokens.image": batch.tokens.image, "tokens.volume": batch.tokens.volume}
    _write(folder / BATCH, named)


def read_batch(folder: Path, config: ModelConfig, device: torch.device) -> SparseBatch:
    """Read it onto a device, and lay it out in blocks."""
    parts: dict[str, dict[str, Tensor]] = {}
    for name, tensor in load_file(folder / BATCH, str(device)).items():
        part, _, field = name.partition(".")
        parts.setdefault(part, {})[field] = tensor
    tokens = SparseTokens(**parts["tokens"], instances=1)
    if "tables" in parts:
        volume, image = layout(tokens, config.selection.block_size)
        routes = Routes.from_tables(volume, image, BlockTables(**parts["tables"]))
        plan = Plan(volume, image, routes)
    else:
        plan = plan_by_score(tokens, config)
    features = DenseFeatures(**parts["features"]) if "features" in parts else None
    return SparseBatch(EncoderInputs(**parts["inputs"]), tokens, plan, features)


def write_rows(folder: Path, rows: Tensor) -> None:
    """Write the rows of the sparse volume, [rows, channels].

    Raises:
        DiskFull: if they do not fit.
        OutputNotWritable: if they cannot be written for another reason.
    """
    _write(folder / ROWS, {"rows": rows})


def read_rows(folder: Path, device: torch.device) -> Tensor:
    """Read them onto a device."""
    return load_file(folder / ROWS, str(device))["rows"]


def _write(path: Path, named: dict[str, Tensor | None]) -> None:
    data = save({name: t.cpu().contiguous() for name, t in named.items() if t is not None})
    try:
        path.write_bytes(data)
    except OSError as error:
        raise write_failure(path, error) from error
