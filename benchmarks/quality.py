# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The quality benchmark: twelve real objects, reconstructed and scored on held-out views.

    python3 -m benchmarks.quality OBJECTS HDRI [--refine auto] [--against OTHER.json] [-o RESULT]

Captures are kept in the work folder and made only once. It starts with the standard library alone;
the commands run in LSRM's virtual environments.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import re
import subprocess
import sys
import time
from pathlib import Path
from statistics import fmean
from typing import Any

from backend.shared.virtual_environments import backend_command, blender_command, child_variables

BENCH_CAPTURE = {
    "--distance": 3,
    "--field-of-view": 40,
    "--views": 16,
    "--test-views": 8,
    "--size": 256,
    "--samples": 32,
}
"""Distance in bounding radii: the object has radius 0.5, so the cameras stand at 1.5."""

EXCLUDED = "racquet"
"""Its strings are painted with alpha and have no surface, so means are also given without it."""

SCAN = "gso_"
MEASURES = ("iou", "psnr", "psnr_foreground", "ssim")
TRUE_GEOMETRY = "true_geometry.py"


def main() -> int:
    """Run the bench and write its table."""
    arguments = _parser().parse_args()
    rows = {}
    for asset in _assets(arguments.objects, arguments.only):
        name = asset.parent.name if asset.name == "model.obj" else asset.stem
        sys.stderr.write(f"{name}\n")
        rows[name] = _run_object(asset, arguments.work / name, arguments)
    document = {
        "what": "novel views scored unlit by `lsrm_blender evaluate`; 16 views of 256 px",
        "refine": arguments.refine,
        "machine": {
            "processor": _processor(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
        },
        "date": dt.datetime.now(tz=dt.UTC).date().isoformat(),
        "objects": rows,
        "summary": _summary(rows),
    }
    if arguments.against:
        others = json.loads(arguments.against.read_text("utf-8"))["objects"]
        document["gain"] = _gain(rows, others)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    print(_table(rows, document["summary"]))
    if arguments.against:
        print(json.dumps(document["gain"], indent=1))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("objects", type=Path, help="folder with gso_*/model.obj and *.glb")
    add("hdri", type=Path, help="the lighting of the captures")
    add("--refine", default="auto")
    add("--only", default="", help="run the objects whose path holds this text, any case")
    add("--true-geometry", action="store_true", help="also texture the true meshes: the bound")
    add("--against", type=Path, help="an earlier table to compare with")
    add("--work", type=Path, default=Path("bench"))
    add("-o", "--output", type=Path, default=Path("benchmarks/results/quality.json"))
    return parser


def _assets(folder: Path, only: str) -> list[Path]:
    found = [*sorted(folder.glob("*/model.obj")), *sorted(folder.glob("*.glb"))]
    return [asset for asset in found if only.lower() in str(asset).lower()]


def _run_object(asset: Path, folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Capture, reconstruct and score one object."""
    views = folder / "views"
    if not views.is_dir():
        axis = ["--up-axis", "Z"] if asset.suffix == ".obj" else []
        light = ["--environment", str(arguments.hdri)]
        bench = [str(part) for option in BENCH_CAPTURE.items() for part in option]
        _run_json(
            blender_command(
                "capture", str(asset), "-o", str(views), *axis, *light, "--normalize", *bench
            )
        )
    result = folder / f"refine-{arguments.refine}"
    start = time.perf_counter()
    report = _run_json(
        backend_command("reconstruct", str(views), "-o", str(result), "--refine", arguments.refine)
    )
    row = {
        "seconds": round(time.perf_counter() - start, 1),
        "peak_memory_mb": max(stage["peak_memory_mb"] or 0 for stage in report["stages"]),
        **_score(views, result),
    }
    if arguments.true_geometry:
        textured = folder / "true-geometry"
        script = str(Path(__file__).with_name(TRUE_GEOMETRY))
        python = backend_command()[0]
        _run_json([python, script, str(views), str(textured)])
        row["true_geometry"] = _score(views, textured)
    return row


def _score(views: Path, result: Path) -> dict[str, float]:
    scores = _run_json(blender_command("evaluate", str(views), str(result)))
    means = {measure: round(scores["mean"][measure], 4) for measure in MEASURES}
    return {**means, "chamfer_x1e3": round(scores["chamfer_x1e3"], 2)}


def _run_json(command: list[str]) -> dict[str, Any]:
    """Run a command with --json; returns its document."""
    done = subprocess.run(
        [*command, "--json"], env=child_variables(), stdout=subprocess.PIPE, check=True
    )
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def _summary(rows: dict[str, Any]) -> dict[str, Any]:
    """Means and worst values over the scans, and over all objects but the excluded one."""
    scans = [row for name, row in rows.items() if name.startswith(SCAN)]
    others = [row for name, row in rows.items() if EXCLUDED not in name.lower()]
    groups = {"scans": scans, "without_racquet": others}
    return {
        name: {
            measure: {
                "mean": round(fmean(row[measure] for row in group), 4),
                "worst": min(row[measure] for row in group),
            }
            for measure in MEASURES
        }
        | {"seconds_most": max(row["seconds"] for row in group)}
        for name, group in groups.items()
        if group
    }


def _gain(rows: dict[str, Any], others: dict[str, Any]) -> dict[str, Any]:
    """The gain of every object over another run, in decibels and in IoU."""
    gains = {
        name: {
            measure: round(row[measure] - others[name][measure], 4) for measure in ("psnr", "iou")
        }
        for name, row in rows.items()
        if name in others
    }
    scans = [gain["psnr"] for name, gain in gains.items() if name.startswith(SCAN)]
    return {
        "objects": gains,
        "scans_psnr_mean": round(fmean(scans), 2) if scans else None,
        "psnr_worst": min(gain["psnr"] for gain in gains.values()),
    }


def _table(rows: dict[str, Any], summary: dict[str, Any]) -> str:
    """The results for people, as Markdown."""
    head = "| object | IoU | PSNR | PSNR fg | SSIM | Chamfer x1e3 | s | MiB | true geometry dB |"
    lines = [head, re.sub(r"[^|]+", "---", head)]
    for name, row in rows.items():
        bound = row.get("true_geometry", {}).get("psnr", "")
        lines.append(
            f"| {name} | {row['iou']:.4f} | {row['psnr']:.2f} | {row['psnr_foreground']:.2f} "
            f"| {row['ssim']:.4f} | {row['chamfer_x1e3']:.2f} | {row['seconds']:.1f} "
            f"| {row['peak_memory_mb']} | {bound} |"
        )
    for name, group in summary.items():
        lines.append(
            f"| **{name}, mean** | {group['iou']['mean']:.4f} | {group['psnr']['mean']:.2f} "
            f"| {group['psnr_foreground']['mean']:.2f} | {group['ssim']['mean']:.4f} | | | | |"
        )
    return "\n".join(lines)


def _processor() -> str:
    """The name of the processor."""
    try:
        found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text("utf-8"))
    except OSError:
        found = None
    return found[1] if found else platform.processor()


if __name__ == "__main__":
    sys.exit(main())
