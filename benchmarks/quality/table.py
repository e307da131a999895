# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of the quality benchmark: a row for each object, then means over groups."""

from __future__ import annotations

import re
from statistics import fmean
from typing import Any

from .object_split import groups_of, half_of

COLUMNS = {
    "IoU": ("iou", ".4f"),
    "PSNR": ("psnr", ".2f"),
    "PSNR fg": ("psnr_foreground", ".2f"),
    "SSIM": ("ssim", ".4f"),
    "Chamfer x1e3": ("chamfer_x1e3", ".2f"),
    "s": ("seconds", ".1f"),
    "MiB": ("peak_memory_mb", ".0f"),
    "relit dB": ("relit_psnr", ".2f"),
    "FLIP": ("relit_flip", ".4f"),
    "normal °": ("normal_error_mean", ".1f"),
    "median °": ("normal_error_median", ".1f"),
    "base color dB": ("base_color_psnr_aligned", ".2f"),
    "rough": ("roughness_error", ".3f"),
    "metal": ("metallic_error", ".3f"),
    "unlit dB": ("rgb.psnr", ".2f"),
    "relit gain": ("relit_gain", "+.2f"),
    "withheld dB": ("light_withheld.relit_psnr", ".2f"),
    "withheld gain": ("withheld_gain", "+.2f"),
    "true materials dB": ("true_materials.relit_psnr", ".2f"),
    "to it": ("materials_lose", ".2f"),
    "true shape dB": ("true_shape.relit_psnr", ".2f"),
    "its base color": ("true_shape.base_color_psnr_aligned", ".2f"),
    "its rough": ("true_shape.roughness_error", ".3f"),
    "its metal": ("true_shape.metallic_error", ".3f"),
    "true geometry dB": ("true_geometry.psnr", ".2f"),
}
"""Titles: what is shown, and how; those that nothing was measured for are left out."""

# Of these, less is better.
LESS_IS_BETTER = re.compile(r"error|chamfer|seconds|memory|flip|lose")


def flat(row: dict[str, Any]) -> dict[str, float]:
    """All numbers of a row by name, those of its parts as "part.name", and their differences.

    Adds `relit_gain` and `withheld_gain`, over the color with its light, and `materials_lose`, to
    the same shape in the asset's own materials.
    """
    numbers: dict[str, float] = {}
    for key, value in row.items():
        if isinstance(value, dict) and key != "lights":
            numbers |= {f"{key}.{name}": number for name, number in flat(value).items()}
        elif isinstance(value, int | float):
            numbers[key] = value
    if "relit_psnr" in numbers and "rgb.relit_psnr" in numbers:
        numbers["relit_gain"] = numbers["relit_psnr"] - numbers["rgb.relit_psnr"]
    if "light_withheld.relit_psnr" in numbers and "rgb.relit_psnr" in numbers:
        withheld = numbers["light_withheld.relit_psnr"]
        numbers["withheld_gain"] = withheld - numbers["rgb.relit_psnr"]
    if "relit_psnr" in numbers and "true_materials.relit_psnr" in numbers:
        numbers["materials_lose"] = numbers["true_materials.relit_psnr"] - numbers["relit_psnr"]
    return numbers


def summarize(rows: dict[str, Any]) -> dict[str, dict[str, dict[str, float]]]:
    """Mean and worst value of every measure that all objects of a group have, by group."""
    summary = {}
    for group, names in groups_of(rows).items():
        values = [flat(rows[name]) for name in names]
        common = [measure for measure in values[0] if all(measure in each for each in values)]
        summary[group] = {
            measure: {
                "mean": round(fmean(each[measure] for each in values), 4),
                "worst": round(_worst(measure)(each[measure] for each in values), 4),
            }
            for measure in common
        }
    return summary


def _worst(measure: str) -> Any:
    """The function that picks the worst of values."""
    return max if LESS_IS_BETTER.search(measure) else min


def columns_for(rows: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """The columns that at least one object has a value for."""
    known = {measure for row in rows.values() for measure in flat(row)}
    return {title: column for title, column in COLUMNS.items() if column[0] in known}


def table_text(
    rows: dict[str, Any],
    summary: dict[str, dict[str, dict[str, float]]],
    columns: dict[str, tuple[str, str]],
) -> str:
    """The results for people, as Markdown."""
    head = f"| object | half | {' | '.join(columns)} |"
    lines = [head, re.sub(r"[^|]+", "---", head)]
    lines += [_line(name, half_of(name), flat(row), columns) for name, row in rows.items()]
    for group, measures in summary.items():
        for kind in ("mean", "worst"):
            values = {measure: value[kind] for measure, value in measures.items()}
            lines.append(_line(f"**{group}, {kind}**", "", values, columns))
    return "\n".join(lines)


def _line(
    name: str, half: str, values: dict[str, float], columns: dict[str, tuple[str, str]]
) -> str:
    """One row; what was not measured stays empty."""
    cells = (format(values[key], style) if key in values else "" for key, style in columns.values())
    return f"| {name} | {half} | {' | '.join(cells)} |"
