# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `parity`: golden cases through the public classes, and the error of every tensor."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from backend.shared.errors import LsrmError
from backend.shared.terminal import print_json, say

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from torch import Tensor

    from .case import Case, Produced


@dataclass(frozen=True)
class Kind:
    """How cases of a kind are run, and how far float32 may be off, absolute."""

    run: Callable[[Case], Produced]
    tolerance: float


def kinds() -> dict[str, Kind]:
    """The kinds of cases by name. They import PyTorch, which `--help` must not need."""
    from .attention_case import run_attention_case
    from .field_cases import run_render_case, run_volsdf_dense_case, run_volsdf_sparse_case
    from .preprocess_case import run_preprocess_case
    from .stage_cases import run_dense_case, run_sparse_case
    from .token_cases import run_routing_case, run_sparsify_case

    return {
        "dense": Kind(run_dense_case, 1e-4),
        "sparse": Kind(run_sparse_case, 1e-4),
        "attention_units": Kind(run_attention_case, 1e-5),
        "sparsify": Kind(run_sparsify_case, 1e-5),
        "routing": Kind(run_routing_case, 1e-5),
        "volsdf_dense": Kind(run_volsdf_dense_case, 1e-5),
        "volsdf_sparse": Kind(run_volsdf_sparse_case, 1e-5),
        "render": Kind(run_render_case, 1e-5),
        "preprocess": Kind(run_preprocess_case, 5e-6),
    }


@dataclass(frozen=True)
class Comparison:
    """One tensor of a case. Integers and masks count the elements (or rows) that differ."""

    name: str
    shape: tuple[int, ...]
    error: float
    tolerance: float
    ok: bool


def run_case(folder: Path) -> list[Comparison]:
    """Compare every expected tensor of a case.

    Raises:
        LsrmError: if the folder is no case, or of a kind that is unknown here.
    """
    from .case import read_case

    case, known = read_case(folder), kinds()
    if case.kind not in known:
        raise LsrmError(
            f"{folder} is a case of kind {case.kind!r}.", f"Known kinds: {', '.join(known)}."
        )
    kind = known[case.kind]
    produced = kind.run(case)
    return [
        _compare(name, wanted, produced, kind.tolerance)
        for name, wanted in case.expected.items()
        if not _is_hint(name)
    ]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `parity`."""
    parser.add_argument("cases", type=Path, nargs="+", metavar="CASE", help="folder of a case")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(arguments: argparse.Namespace) -> int:
    """Run the cases; 0 if every tensor is within its tolerance, else 1."""
    report: dict[str, object] = {}
    passed = True
    for folder in arguments.cases:
        try:
            rows = run_case(folder)
        except LsrmError as error:  # the other cases are compared all the same
            say(str(error))
            report[str(folder)] = {"error": error.to_dict()}
            passed = False
            continue
        _print(folder, rows)
        report[str(folder)] = [asdict(row) for row in rows]
        passed = passed and all(row.ok for row in rows)
    if arguments.json:
        print_json(report)
    return 0 if passed else 1


def _is_hint(name: str) -> bool:
    """Margins say where ties are; they are no result of the model."""
    return name.startswith("margin.") or name.endswith(".window_margin")


def _compare(name: str, wanted: Tensor, produced: Produced, tolerance: float) -> Comparison:
    found, shape = produced.tensors.get(name), tuple(wanted.shape)
    tolerance = tolerance if wanted.is_floating_point() else 0.0
    if name.endswith(".K_input"):
        tolerance = 1e-5  # focal lengths in pixels are large numbers
    if found is None or found.shape != wanted.shape:
        return Comparison(name, shape, float("inf"), tolerance, ok=False)
    wrong_rows = produced.wrong_rows.get(name)
    if wrong_rows is not None:
        error = float(wrong_rows(found, wanted))
    elif wanted.is_floating_point():
        error = _largest(found.double(), wanted.double())
    else:
        error = float((found != wanted).sum())
    return Comparison(name, shape, error, tolerance, ok=error <= tolerance)


def _largest(found: Tensor, wanted: Tensor) -> float:
    difference = (found - wanted).abs()
    difference = difference.masked_fill(found == wanted, 0.0)  # equal infinities
    return float(difference.nan_to_num(float("inf")).max()) if wanted.numel() else 0.0


def _print(folder: Path, rows: list[Comparison]) -> None:
    width = max(len(row.name) for row in rows)
    say(f"{folder}: {sum(row.ok for row in rows)} of {len(rows)} tensors within tolerance")
    for row in rows:
        shape = "x".join(map(str, row.shape)) or "scalar"
        verdict = "ok" if row.ok else "WRONG"
        say(
            f"  {row.name:<{width}}  {shape:<14}  error {row.error:8.1e}  "
            f"tolerance {row.tolerance:7.1e}  {verdict}"
        )
