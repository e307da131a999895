# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of launches, `launch_table.json`: how large and how parallel a program is, by GPU.

A table instead of autotuning: the same launch in every run. `bench sweep` times the candidates on
a card and writes the rows of its architecture. Until then a row comes from the compiled code, by
`benchmarks/kernels/model.py`, and says so. What has no row, shapes of no model, takes the one safe
row, which fits every GPU in every type and width. The table also says on which architectures
the compressed branch goes through flash-attn, by the same measurement: on none until there is one.
"""

from __future__ import annotations

import functools
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE = Path(__file__).with_suffix(".json")
BY_MODEL = "by model"
KERNELS = ("forward", "query", "key")
WIDTHS = (32, 64)
"""Padded widths of a head that have rows of their own, in types of two bytes."""


@dataclass(frozen=True)
class Limits:
    """A row: the size of a program.

    Attributes:
        rows: queries x heads.
        keys: of one program of the key kernel.
        warps: of a program.
        stages: of the software pipeline.
        source: "by model", or card, versions and date of the measurement.
    """

    rows: int
    keys: int
    warps: int
    stages: int
    source: str = BY_MODEL


Rows: TypeAlias = "Mapping[str, Mapping[int, Limits]]"
"""The rows of one architecture: by kernel, then by width."""


@dataclass(frozen=True)
class LaunchTable:
    """All rows.

    Attributes:
        safe: for everything that has no row.
        architectures: rows by the first number of the compute capability.
        compressed_by_flash: architectures on which flash-attn computes the compressed branch faster
            than tiles do, without gradients; each with its measurement.
    """

    safe: Limits
    architectures: Mapping[int, Rows]
    compressed_by_flash: Mapping[int, str]

    def limits(self, kernel: str, item_size: int, width: int, architecture: int) -> Limits:
        """The row of a kernel, or the safe one.

        Args:
            kernel: "forward", "query" or "key".
            item_size: bytes of a number.
            width: of a head, padded.
            architecture: the first number of the compute capability.
        """
        rows = self.architectures.get(architecture, {}) if item_size == 2 else {}
        return rows.get(kernel, {}).get(max(WIDTHS[0], width), self.safe)

    def with_compressed(self, architecture: int, by_flash: str) -> LaunchTable:
        """The table after flash-attn was timed on an architecture.

        Args:
            architecture: the first number of the compute capability.
            by_flash: the measurement; empty if tiles were faster.
        """
        others = {n: text for n, text in self.compressed_by_flash.items() if n != architecture}
        faster = {architecture: by_flash} if by_flash else {}
        return replace(self, compressed_by_flash=others | faster)

    def with_row(self, architecture: int, kernel: str, width: int, row: Limits) -> LaunchTable:
        """The table with another row."""
        rows = self.architectures.get(architecture, {})
        changed = {**rows, kernel: {**rows.get(kernel, {}), width: row}}
        return replace(self, architectures={**self.architectures, architecture: changed})


@functools.cache
def launch_table() -> LaunchTable:
    """The table that launches read."""
    return read(FILE)


def read(file: Path) -> LaunchTable:
    """A table from its file."""
    document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    architectures = {
        int(number): {
            kernel: {int(width): Limits(**row) for width, row in rows.items()}
            for kernel, rows in kernels.items()
        }
        for number, kernels in document["architectures"].items()
    }
    by_flash = {int(number): text for number, text in document["compressed_by_flash"].items()}
    return LaunchTable(Limits(**document["safe"]), architectures, by_flash)


def write(table: LaunchTable, file: Path) -> None:
    """Write a table as `read` reads it, a row per line."""
    architectures = ",\n".join(
        f'  "{number}": {{\n{_kernels(rows)}\n  }}'
        for number, rows in sorted(table.architectures.items())
    )
    safe = json.dumps(asdict(table.safe))
    by_flash = json.dumps({str(n): text for n, text in sorted(table.compressed_by_flash.items())})
    text = (
        f'{{\n "safe": {safe},\n "compressed_by_flash": {by_flash},\n'
        f' "architectures": {{\n{architectures}\n }}\n}}\n'
    )
    file.write_text(text, encoding="utf-8")


def _kernels(rows: Rows) -> str:
    return ",\n".join(
        f'   "{kernel}": {{\n'
        + ",\n".join(f'    "{width}": {json.dumps(asdict(row))}' for width, row in found.items())
        + "\n   }"
        for kernel, found in rows.items()
    )
