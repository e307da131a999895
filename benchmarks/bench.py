# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `bench`: how fast the kernels are here, on the routing of a real object.

`bench all --out FILE` checks every kernel on a GPU, times them, and times the network. The file
grows part by part, also over several calls.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.shared.errors import LsrmError
from backend.shared.exit_codes import DONE, FAILED
from backend.shared.terminal import say

from .quality.history import origin

if TYPE_CHECKING:
    import argparse

    from .kernels.scene import Scene
    from .kernels.timings import Row

PAPER_TOKENS = 300_000
"""Volume tokens of the paper's largest objects; the images have a third as many."""
DILATION = 1
"""Tokens around the surface with which the toy object has about as many."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `bench`."""
    parser.add_argument("what", choices=[*PARTS, *ON_REQUEST, "all"], help="part to run")
    parser.add_argument("--out", type=Path, help="file to write the report to, as JSON")
    parser.add_argument("--views", type=Path, help="capture folder; without one, a toy object")
    parser.add_argument(
        "--captures",
        type=Path,
        nargs="+",
        help="capture folders of several objects, for balance and scaling",
    )
    parser.add_argument(
        "--measure",
        type=int,
        default=0,
        metavar="PROCESSES",
        help="scaling: only time so many processes of this machine against one",
    )
    parser.add_argument(
        "--resolution", type=int, default=None, help="voxels per side (default: 96, on a CPU 48)"
    )
    parser.add_argument("--queries", type=int, default=None, help="volume tokens to scale to")
    parser.add_argument(
        "--dilation", type=int, default=DILATION, help="tokens around the network's surface"
    )


def run(arguments: argparse.Namespace) -> dict[str, Any] | int:
    """Tables for people, or everything as JSON; 1 if a kernel is wrong."""
    import torch  # not above: `--help` must answer without it

    parts = list(PARTS) if arguments.what == "all" else [arguments.what]
    report: dict[str, Any] = origin()
    report["machine"] |= machine()
    if not torch.cuda.is_available():
        report["gpu"] = "not measured on a GPU"
        say("GPU: not measured on a GPU.")
    report = _earlier(arguments.out, report) | report
    for part in parts:
        report |= (PARTS | ON_REQUEST)[part](arguments)
        if arguments.out:
            arguments.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if not all(check["ok"] for check in report.get("checks", [])):
        return FAILED
    return report if arguments.json else DONE


def _earlier(file: Path | None, report: dict[str, Any]) -> dict[str, Any]:
    """The report of other parts on the same day and machine."""
    if file is None or not file.exists():
        return {}
    known: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return known if report.items() <= known.items() else {}


def checks(_: argparse.Namespace) -> dict[str, Any]:
    """Every kernel against its reference; needs a GPU, or Triton's interpreter."""
    import torch

    from kernels.core.dispatch import interpreting

    from .kernels.checks import run_checks

    cuda = torch.cuda.is_available()
    if not cuda and not interpreting():
        say("Kernels: not checked, without a GPU.")
        return {}
    found = []
    say(f"\n{'kernel':<24}{'type':<10}{'allowed':>9}  errors of value and gradients")
    for check in run_checks(torch.device("cuda" if cuda else "cpu")):
        found.append(check)
        errors = " ".join(f"{error:.1e}" for error in check.errors)
        verdict = "" if check.ok else "  WRONG" if check.repeats else "  NOT REPEATED"
        say(f"{check.name:<24}{check.dtype:<10}{check.allowed:>9.1e}  {errors}{verdict}")
    return {"checks": [asdict(check) | {"ok": check.ok} for check in found]}


def kernels(arguments: argparse.Namespace) -> dict[str, Any]:
    """The routing of an object, and the times of selected attention on it."""
    import torch

    from .kernels.scene import scene_of, views_of
    from .kernels.timings import BASELINE_MILLISECONDS, baseline_counts, over_query_centric

    cuda = torch.cuda.is_available()
    resolution = arguments.resolution or (96 if cuda else 48)
    if resolution % 8:
        raise LsrmError(f"{resolution} voxels per side.", "Give a multiple of 8, as 96.")
    views, name = views_of(arguments.views)
    scene = scene_of(views, name, resolution, torch.device("cuda" if cuda else "cpu"))
    report = {"object": name, "resolution": resolution, "routing": routing(scene)}
    report["routing_seconds"] = scene.seconds
    rows = _on_cuda(scene, arguments.queries or PAPER_TOKENS) if cuda else _on_cpu(scene)
    report["times"] = [asdict(row) for row in rows]
    if not cuda:
        return report | {"dense_over_selected": crossover(rows)}
    ratios = over_query_centric(rows)
    for name, ratio in ratios.items():
        say(f"{name}: {ratio:.2f} times as fast as query by query")
    counts = baseline_counts(rows)
    verdict = "at most" if counts else "more than"
    say(f"Query by query, volume to volume takes {verdict} {BASELINE_MILLISECONDS:.0f} ms.")
    return report | {"over_query_centric": ratios, "baseline_counts": counts}


def network(arguments: argparse.Namespace) -> dict[str, Any]:
    """Both stages through the pipeline; on a CPU at the size of `tiny`."""
    import torch

    from .kernels.network import full_size, run_network, small_size
    from .kernels.scene import views_of

    cuda = torch.cuda.is_available()
    config = full_size(arguments.dilation) if cuda else small_size()
    views, _ = views_of(arguments.views)
    found = run_network(views, config, torch.device("cuda" if cuda else "cpu"))
    say(f"\n{'stage':<16}{'s':>9}{'peak GB':>9}{'TFLOP':>9}")
    for stage, cost in found["stages"].items():
        peak = "" if cost["peak_gigabytes"] is None else f"{cost['peak_gigabytes']:.2f}"
        say(f"{stage:<16}{cost['seconds']:>9.3f}{peak:>9}{cost['product_tflop']:>9.2f}")
    say(f"{found['tokens']}; {found['exponentials']:.2e} exponentials")
    if cuda:
        found["share_of_bound"] = _network_bound(found) / found["seconds"]
        say(f"{found['share_of_bound']:.0%} of what products and exponentials alone allow")
    return {"network": found}


def balance(arguments: argparse.Namespace) -> dict[str, Any]:
    """How evenly eight ranks would share objects."""
    from .scaling.report import report_balance

    return report_balance(_captures(arguments))


def scaling(arguments: argparse.Namespace) -> dict[str, Any]:
    """The cost of a layer on one device and what that makes of 1 to 1,024 GPUs; or processes."""
    from .scaling.report import report_scaling, report_throughput

    if arguments.measure:
        return report_throughput(_captures(arguments)[0], arguments.measure)
    return report_scaling(_captures(arguments))


def _captures(arguments: argparse.Namespace) -> list[Path | None]:
    return arguments.captures or [arguments.views]


def sweep(arguments: argparse.Namespace) -> dict[str, Any]:
    """The fastest launch of each attention kernel, into the table that launches read."""
    import torch

    from kernels.gpu.launch_table import FILE

    from .kernels.scene import scene_of, views_of
    from .kernels.sweep import run_sweep

    if not torch.cuda.is_available():
        raise LsrmError("Launches are timed on a card; there is none.", "Run this on a GPU.")
    views, name = views_of(arguments.views)
    scene = scene_of(views, name, arguments.resolution or 96, torch.device("cuda"))
    scaled = scene.repeated(arguments.queries or PAPER_TOKENS)
    return {"sweep": run_sweep(scaled, FILE)}


PARTS = {
    "checks": checks,
    "kernels": kernels,
    "network": network,
    "balance": balance,
    "scaling": scaling,
}
"""The parts of `bench`, in the order of `all`."""
ON_REQUEST = {"sweep": sweep}
"""The parts that `all` leaves out: this one writes into the repository."""


def machine() -> dict[str, str]:
    """The GPU of a time, if there is one, threads and versions."""
    import torch

    found = {
        "threads": str(torch.get_num_threads()),
        "torch": torch.__version__,
    }
    if torch.cuda.is_available():
        import triton

        found |= {"card": torch.cuda.get_device_name(), "cuda": str(torch.version.cuda)}
        found["triton"] = triton.__version__
    say(", ".join(f"{key} {value}" for key, value in found.items()))
    return found


def routing(scene: Scene) -> dict[str, dict[str, Any]]:
    """Statistics of the four tables in tiles of 8, which decide the speed on a GPU."""
    from kernels.core.plan_statistics import statistics
    from kernels.core.routing_plan import TILE_QUERIES

    queries = TILE_QUERIES["cuda"]
    say(f"\nRouting of {scene.name} in {scene.seconds:.2f} s, tiles of {queries} queries")
    say(
        f"{'':<18}{'queries':>9}{'keys':>9}{'keys/query':>11}{'union':>7}{'useful':>8}{'traffic':>9}"
    )
    found = {}
    for direction, plan in scene.plans.items():
        (tiles,) = plan.tiled(TILE_QUERIES["cuda"]).selected
        numbers = statistics(tiles)
        found[direction] = asdict(numbers)
        say(
            f"{direction:<18}{numbers.queries:>9}{numbers.keys:>9}{numbers.keys_per_query:>11.0f}"
            f"{numbers.union_blocks:>7.1f}{numbers.useful_share:>8.2f}{numbers.traffic:>9.3f}"
        )
    return found


def _network_bound(found: dict[str, Any]) -> float:
    """Seconds of the matrix products and exponentials alone, at the rates of this GPU."""
    from .kernels.timings import exponential_seconds, product_rate

    tflop: float = sum(cost["product_tflop"] for cost in found["stages"].values())
    return tflop * 1e12 / product_rate() + exponential_seconds(found["exponentials"])


def crossover(rows: list[Row]) -> dict[int, float]:
    """From how many tokens on the reference beats torch's dense attention, in this run."""
    from .kernels.timings import dense_over_selected

    ratios = dense_over_selected(rows)
    won = [tokens for tokens, ratio in ratios.items() if ratio > 1]
    say("\nTime of dense attention / time of selected attention, 16 heads of width 32:")
    say("  ".join(f"{tokens} tokens: {ratio:.2f}" for tokens, ratio in ratios.items()))
    say(f"Selected attention is faster from {min(won)} tokens." if won else "Dense is faster.")
    return ratios


def _on_cpu(scene: Scene) -> list[Row]:
    from .kernels.timings import against_dense, against_loop

    return _print_rows([*against_loop(scene), *against_dense(scene)])


def _on_cuda(scene: Scene, queries: int) -> list[Row]:
    from .kernels.timings import against_baselines

    scaled = scene.repeated(queries)
    say(f"\nScaled by repeating the object as further instances: {scaled.name}")
    return _print_rows(
        [row for name, plan in scaled.plans.items() for row in against_baselines(name, plan)]
    )


def _print_rows(rows: list[Row]) -> list[Row]:
    say(f"\n{'':<46}{'tokens':>8}{'ms':>11}{'TFLOP/s':>10}{'GB/s':>8}{'of bound':>10}")
    for row in rows:
        bound = "" if row.share_of_bound is None else f"{row.share_of_bound:.0%}"
        rate = "" if row.gigabytes_per_second is None else f"{row.gigabytes_per_second:.1f}"
        say(
            f"{row.name:<46}{row.tokens:>8}{row.milliseconds:>11.2f}"
            f"{row.useful_tflops:>10.3f}{rate:>8}{bound:>10}"
        )
    return rows
