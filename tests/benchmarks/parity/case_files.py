# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases of our own in the layout of the golden ones: written, run, and random tokens for them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import torch
from safetensors.torch import save_file

from benchmarks.parity import parity

if TYPE_CHECKING:
    from pathlib import Path


def write_case(folder: Path, document: dict, weights: dict, inputs: dict, expected: dict) -> Path:
    """A case in the layout of the golden ones."""
    folder.mkdir()
    document["weights_files"] = [{"file": "weights.safetensors"}] if weights else []
    (folder / "case.json").write_text(json.dumps(document), encoding="utf-8")
    for name, tensors in (("weights", weights), ("inputs", inputs), ("outputs", expected)):
        stored = {
            key: (t.float() if t.is_floating_point() else t).clone().contiguous()
            for key, t in tensors.items()
        }
        if stored:
            save_file(stored, folder / f"{name}.safetensors")
    return folder


def wrong(folder: Path) -> list[parity.Comparison]:
    """The tensors of a case that do not agree."""
    rows = parity.run_case(folder)
    assert rows
    return [row for row in rows if not row.ok]


def some_tokens(shape: tuple[int, ...], axes: int, block: int, seed: int) -> list[tuple[int, ...]]:
    """Random index rows in block order; the last `axes` axes are cut into blocks."""
    random = torch.Generator().manual_seed(seed)
    kept = torch.nonzero(torch.rand(shape, generator=random) < 0.4).tolist()

    def key(row: list[int]) -> tuple[list[int], ...]:
        lead, inner = row[: len(row) - axes], row[len(row) - axes :]
        return lead, [value // block for value in inner], [value % block for value in inner]

    return [tuple(row) for row in sorted(kept, key=key)]


def ranges(rows: list[tuple[int, ...]], axes: int, block: int) -> list[tuple[int, int]]:
    """First and last + 1 token of every block."""
    keys = [
        (*row[: len(row) - axes], *(value // block for value in row[len(row) - axes :]))
        for row in rows
    ]
    starts = [i for i in range(len(keys)) if i == 0 or keys[i] != keys[i - 1]]
    return list(zip(starts, [*starts[1:], len(keys)], strict=True))
