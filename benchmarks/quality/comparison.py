# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two runs of the quality benchmark compared: every measure of every object, and of the means."""

from __future__ import annotations

from typing import Any

from .table import flat, summarize

TOLERANCE = {"psnr": 0.2, "psnr_foreground": 0.2, "relit_psnr": 0.2, "iou": 0.002}
"""What an object may lose before it is listed, in decibels and in IoU."""


def compare(rows: dict[str, Any], others: dict[str, Any]) -> dict[str, Any]:
    """This run minus another one, over the objects and measures that both have.

    Returns:
        objects: differences of each object; means: of each group; losses: object, measure and
        difference where more is lost than the tolerance.
    """
    both = [name for name in rows if name in others]
    objects = {name: _differences(flat(rows[name]), flat(others[name])) for name in both}
    before = summarize({name: others[name] for name in both})
    means = {
        group: _differences(_means(measures), _means(before[group]))
        for group, measures in summarize({name: rows[name] for name in both}).items()
    }
    losses = [
        {"object": name, "measure": measure, "difference": difference}
        for name, differences in objects.items()
        for measure, difference in differences.items()
        if difference < -TOLERANCE.get(measure.rpartition(".")[2], float("inf"))
    ]
    return {"objects": objects, "means": means, "losses": losses}


def _means(measures: dict[str, dict[str, float]]) -> dict[str, float]:
    return {measure: value["mean"] for measure, value in measures.items()}


def _differences(new: dict[str, float], old: dict[str, float]) -> dict[str, float]:
    return {measure: round(new[measure] - old[measure], 4) for measure in new if measure in old}


def comparison_text(gain: dict[str, Any]) -> str:
    """The comparison for people: a line for each mean, and for each loss."""
    lines = ["", "Against the other run:"]
    for group, differences in gain["means"].items():
        parts = (f"{measure} {value:+.4g}" for measure, value in differences.items())
        lines.append(f"- {group}: {', '.join(parts)}")
    lines += [
        f"- LOSS {loss['object']}: {loss['measure']} {loss['difference']:+.4g}"
        for loss in gain["losses"]
    ]
    return "\n".join(lines)
