# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of an evaluation in the paper's form: published rows beside the measured one.

A row is either `measured`, here and by these commands, or `quoted` from the paper. They are of two
types and made in two places, so that no number of one kind gets into a row of the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .evaluation import mean_measures
from .protocols import OWN
from .published import PAPER, quoted_rows

if TYPE_CHECKING:
    from .published import Quoted
    from .settings import Settings

DIGITS = {
    "psnr": 2, "psnr_linear": 2, "ssim": 3, "lpips": 3, "flip": 3, "chamfer_x1e3": 2, "cd": 2
}  # fmt: skip
NOT_GIVEN = "-"

DEFINITIONS = {
    "psnr_linear": "PSNR-H, measured: linear light over white, peak 1, nothing clipped.",
    "chamfer_x1e3": "Chamfer x1e3: mean of both directed mean distances, reference of radius 0.5.",
    "cd": "CD: as published; the paper gives no unit, so none is measured.",
    "lpips": "LPIPS, measured: VGG-16.",
}


@dataclass(frozen=True)
class Measured:
    """The row of this evaluation.

    Attributes:
        method: what was evaluated.
        data: the data set.
        views: input views of every object.
        objects: how many were measured, of how many the data set has.
        measures: their means, by name.
    """

    method: str
    data: str
    views: int
    objects: tuple[int, int]
    measures: dict[str, float]


def measured_row(settings: Settings, outcome: dict[str, Any]) -> Measured:
    """The means of what `evaluate_all` measured."""
    objects = list(outcome["objects"].values())
    used = sorted({each["checkpoint"]["name"] for each in objects})  # auto is one of several
    checkpoint = " or ".join(used) or settings.reconstruct.get("checkpoint", "none")
    refine = settings.reconstruct.get("refine", "auto")
    return Measured(
        method=f"this repository, checkpoint {checkpoint}, refine {refine}",
        data=f"{settings.name}: {settings.data.name}",
        views=settings.view_count,
        objects=(len(objects), outcome["total"]),
        measures=mean_measures(objects),
    )


def row_documents(measured: Measured, quoted: list[Quoted]) -> list[dict[str, Any]]:
    """All rows as JSON, quoted ones first, each with its `status`."""
    published = [
        {
            "status": "quoted",
            "source": f"{PAPER}, Table {row.table}",
            "method": row.method,
            "data": row.data,
            "views": row.views,
            "measures": row.measures,
        }
        for row in quoted
    ]
    own = {
        "status": "measured",
        "method": measured.method,
        "data": measured.data,
        "views": measured.views,
        "objects": list(measured.objects),
        "measures": measured.measures,
    }
    return [*published, own]


def document(settings: Settings, outcome: dict[str, Any]) -> dict[str, Any]:
    """The evaluation as JSON."""
    measured = measured_row(settings, outcome)
    rows = row_documents(measured, quoted_rows(settings.protocol.quoted))
    shown = columns_with_values(settings.protocol.columns, rows)
    definitions = [DEFINITIONS[name] for name in shown if name in DEFINITIONS]
    return {
        "protocol": settings.name,
        "settings": {
            **settings.identity(flip="flip" in measured.measures),
            "score_size": settings.protocol.score_size,
            "aligned": settings.protocol.aligned,
        },
        "rows": rows,
        "failed": outcome["failed"],
        "objects": outcome["objects"],
        "notes": [*outcome["notes"], *definitions, *_of_objects(settings, outcome)],
    }


def _of_objects(settings: Settings, outcome: dict[str, Any]) -> list[str]:
    """What a reader must know of the objects behind the means."""
    wanted, objects = settings.view_count, outcome["objects"]
    notes = []
    if settings.name in OWN:
        notes.append(f"Quoted rows are of other objects, those of {settings.protocol.quoted}.")
    if sizes := sorted({each["scored_size"] for each in objects.values()}):
        notes.append(f"Measured at {' and '.join(map(str, sizes))} pixels.")
    fewer = [
        f"{name} ({each['inputs']})" for name, each in objects.items() if each["inputs"] < wanted
    ]
    if fewer:
        notes.append(f"Fewer than {wanted} input views: {', '.join(fewer)}.")
    if failed := outcome["failed"]:
        names = (f"{name} ({error['code']})" for name, error in failed.items())
        notes.append(f"{len(failed)} failed and are in no mean: {', '.join(names)}.")
    return notes


def columns_with_values(columns: dict[str, str], rows: list[dict[str, Any]]) -> dict[str, str]:
    """The columns that at least one row has a value for."""
    known = {name for row in rows for name in row["measures"]}
    return {name: title for name, title in columns.items() if name in known}


def table_text(found: dict[str, Any], columns: dict[str, str]) -> str:
    """The rows as Markdown, with the notes below."""
    shown = columns_with_values(columns, found["rows"])
    head = ["method", "data", "views", "objects", "status", *shown.values()]
    lines = [_line(head), _line(["---"] * len(head))]
    lines += [_line(_cells(row, shown)) for row in found["rows"]]
    return "\n".join([*lines, "", *(f"- {note}" for note in found["notes"])])


def _cells(row: dict[str, Any], columns: dict[str, str]) -> list[str]:
    source = f"quoted, {row['source']}" if row["status"] == "quoted" else "**measured**"
    objects = " of ".join(map(str, row["objects"])) if "objects" in row else NOT_GIVEN
    views = NOT_GIVEN if row["views"] is None else str(row["views"])
    values = [
        format(row["measures"][name], f".{DIGITS[name]}f") if name in row["measures"] else NOT_GIVEN
        for name in columns
    ]
    return [row["method"], row["data"], views, objects, source, *values]


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
