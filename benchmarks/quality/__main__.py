# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The quality benchmark: twelve real objects, reconstructed and scored on held-out views.

    python3 -m benchmarks.quality OBJECTS HDRI [--refine auto] [--against OTHER.json] [-o RESULT]
    python3 -m benchmarks.quality OBJECTS HDRI --relight HDRI... [--material rgb]

With --relight, results are also scored under these lights, and their materials and normals against
those of the asset. Captures are kept in the work folder and made again only if something is missing
in them. It starts with the standard library alone; the commands run in LSRM's virtual environments.
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

from backend.shared.capture_format import PASSES, relit_folder
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
RELIT = "relit_psnr"
MATERIAL_MEASURES = (
    "normal_error_mean",
    "normal_error_median",
    "base_color_psnr_aligned",
    "roughness_error",
    "metallic_error",
)
COLUMNS = {
    "IoU": ("iou", ".4f"),
    "PSNR": ("psnr", ".2f"),
    "PSNR fg": ("psnr_foreground", ".2f"),
    "SSIM": ("ssim", ".4f"),
    "Chamfer x1e3": ("chamfer_x1e3", ".2f"),
    "s": ("seconds", ".1f"),
    "MiB": ("peak_memory_mb", "d"),
    "true geometry dB": ("true_geometry_psnr", ".2f"),
}
RELIT_COLUMNS = {
    "relit dB": (RELIT, ".2f"),
    "normal °": ("normal_error_mean", ".1f"),
    "median °": ("normal_error_median", ".1f"),
    "base color dB": ("base_color_psnr_aligned", ".2f"),
    "rough": ("roughness_error", ".3f"),
    "metal": ("metallic_error", ".3f"),
}
"""Titles of the table: what is shown, and how. Those of the second group only with --relight."""
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
        "what": "novel views, colors unlit and materials lit, by `evaluate`; 16 views of 256 px",
        "refine": arguments.refine,
        "material": arguments.material,
        "relight": [Path(light).name for light in arguments.relight],
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
    print(_table(rows, document["summary"], COLUMNS | (RELIT_COLUMNS if arguments.relight else {})))
    if arguments.against:
        print(json.dumps(document["gain"], indent=1))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("objects", type=Path, help="folder with gso_*/model.obj and *.glb")
    add("hdri", type=Path, help="the lighting of the captures")
    add("--refine", default="auto")
    add("--material", help="of reconstruct; default: its own")
    add("--relight", nargs="+", default=[], metavar="HDRI", help="score under these lights, too")
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
    if not _is_captured(views, arguments.relight):
        _capture(asset, views, arguments)
    options = ["--refine", arguments.refine]
    if arguments.material:
        options += ["--material", arguments.material]
    result = folder / "-".join(option.strip("-") for option in options)
    start = time.perf_counter()
    report = _run_json(backend_command("reconstruct", str(views), "-o", str(result), *options))
    row = {
        "seconds": round(time.perf_counter() - start, 1),
        "peak_memory_mb": max(stage["peak_memory_mb"] or 0 for stage in report["stages"]),
        **_score(views, result),
    }
    if arguments.relight:
        row |= _score_relit(views, result, arguments.relight)
    if arguments.true_geometry:
        textured = folder / "true-geometry"
        script = str(Path(__file__).with_name(TRUE_GEOMETRY))
        python = backend_command()[0]
        _run_json([python, script, str(views), str(textured)])
        row["true_geometry"] = _score(views, textured)
    return row


def _is_captured(views: Path, relight: list[str]) -> bool:
    """Whether a capture is there and has what is needed to score under these lights."""
    needed = [views]
    if relight:
        test = views / "test"
        needed += [test / channel for channel in PASSES]
        needed += [relit_folder(test, light) for light in relight]
    return all(folder.is_dir() for folder in needed)


def _capture(asset: Path, views: Path, arguments: argparse.Namespace) -> None:
    """Capture one object."""
    options = [str(part) for option in BENCH_CAPTURE.items() for part in option]
    if asset.suffix == ".obj":
        options += ["--up-axis", "Z"]
    if arguments.relight:
        options += ["--passes", "--relight", *arguments.relight]
    light = ["--environment", str(arguments.hdri)]
    _run_json(
        blender_command("capture", str(asset), "-o", str(views), *light, "--normalize", *options)
    )


def _score(views: Path, result: Path) -> dict[str, float]:
    scores = _run_json(blender_command("evaluate", str(views), str(result)))
    means = {measure: round(scores["mean"][measure], 4) for measure in MEASURES}
    return {**means, "chamfer_x1e3": round(scores["chamfer_x1e3"], 2)}


def _score_relit(views: Path, result: Path, relight: list[str]) -> dict[str, Any]:
    """The scores under other lights, and those of materials and normals."""

    def mean_of(*shading: str) -> dict[str, float]:
        scores: dict[str, float] = _run_json(
            blender_command("evaluate", str(views), str(result), "--shading", *shading)
        )["mean"]
        return {measure: round(value, 4) for measure, value in scores.items()}

    lights = {Path(light).stem: mean_of("lit", "--environment", light) for light in relight}
    psnr = round(fmean(scores["psnr"] for scores in lights.values()), 4)
    return {RELIT: psnr, **mean_of("passes"), "lights": lights}


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
                "worst": (max if "error" in measure else min)(row[measure] for row in group),
            }
            for measure in (*MEASURES, RELIT, *MATERIAL_MEASURES)
            if all(measure in row for row in group)
        }
        | {"seconds": {"mean": round(fmean(row["seconds"] for row in group), 1)}}
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


def _table(
    rows: dict[str, Any], summary: dict[str, Any], columns: dict[str, tuple[str, str]]
) -> str:
    """The results for people, as Markdown."""
    head = f"| object | {' | '.join(columns)} |"
    lines = [head, re.sub(r"[^|]+", "---", head)]
    for name, row in rows.items():
        bound = row.get("true_geometry")
        values = row | ({"true_geometry_psnr": bound["psnr"]} if bound else {})
        lines.append(_table_row(name, values, columns))
    for name, group in summary.items():
        means = {key: part["mean"] for key, part in group.items() if isinstance(part, dict)}
        lines.append(_table_row(f"**{name}, mean**", means, columns))
    return "\n".join(lines)


def _table_row(name: str, values: dict[str, Any], columns: dict[str, tuple[str, str]]) -> str:
    """One row; what was not measured stays empty."""
    cells = (format(values[key], style) if key in values else "" for key, style in columns.values())
    return f"| {name} | {' | '.join(cells)} |"


def _processor() -> str:
    """The name of the processor."""
    try:
        found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text("utf-8"))
    except OSError:
        found = None
    return found[1] if found else platform.processor()


if __name__ == "__main__":
    sys.exit(main())
