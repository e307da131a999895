# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `bench`: how fast the kernels are here, on the routing of a real object.

`bench all --out FILE` checks every kernel on a GPU, times them, a layer and the network. The file
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
    from .kernels.timings import Stopwatch

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
    checked = [*report.get("checks", []), *report.get("spot_checks", {}).values()]
    if not all(check["ok"] for check in checked):
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
    from kernels.gpu.flash_attention import obstacle

    from .kernels.checks import WIDTH, run_checks

    cuda = torch.cuda.is_available()
    if not cuda and not interpreting():
        say("Kernels: not checked, without a GPU.")
        return {}
    device, found = torch.device("cuda" if cuda else "cpu"), []
    say(f"\n{'kernel':<24}{'type':<10}{'allowed':>9}  errors of value and gradients")
    for check in run_checks(device):
        found.append(check)
        errors = " ".join(f"{error:.1e}" for error in check.errors)
        verdict = "" if check.ok else "  WRONG" if check.repeats else "  NOT REPEATED"
        say(f"{check.name:<24}{check.dtype:<10}{check.allowed:>9.1e}  {errors}{verdict}")
    if missing := obstacle(device, torch.bfloat16, WIDTH):
        say(f"{'dense, flash-attn':<24}not checked: {missing}")
    return {"checks": [asdict(check) | {"ok": check.ok} for check in found]}


def kernels(arguments: argparse.Namespace) -> dict[str, Any]:
    """The routing of an object, and the times of selected attention on it."""
    import torch

    from .kernels.report import report_on_cpu, report_on_gpu, report_routing
    from .kernels.timings import Stopwatch

    cuda = torch.cuda.is_available()
    scene = _scene(arguments, 96 if cuda else 48)
    report: dict[str, Any] = {"object": scene.name, "routing": report_routing(scene)}
    report["routing_seconds"] = scene.seconds
    with Stopwatch.of_machine() as watch:
        if not cuda:
            return report | report_on_cpu(scene, watch)
        return report | report_on_gpu(scene.repeated(arguments.queries or PAPER_TOKENS), watch)


def layer(arguments: argparse.Namespace) -> dict[str, Any]:
    """One sparse layer part by part, and what of it no part accounts for; on a CPU a small one."""
    import torch

    from .kernels.layer import random_layer
    from .kernels.report import report_layer
    from .kernels.timings import Stopwatch

    cuda = torch.cuda.is_available()
    scene = _scene(arguments, 96 if cuda else 16)
    if cuda:
        scene = scene.repeated(arguments.queries or PAPER_TOKENS)
    layer = random_layer(scene, 1024 if cuda else 256)
    with Stopwatch.of_machine(patience=0.2) as watch:
        return {"layer": {"object": scene.name} | report_layer(layer, watch)}


def network(arguments: argparse.Namespace) -> dict[str, Any]:
    """Both stages through the pipeline; on a CPU at the size of `tiny`."""
    import torch

    from .kernels.network import full_size, run_network, small_size
    from .kernels.scene import views_of
    from .kernels.timings import Stopwatch

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
        with Stopwatch.of_machine() as watch:
            found["share_of_bound"] = _network_bound(found, watch) / found["seconds"]
        found["card"] = watch.rates
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
    "layer": layer,
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


def _network_bound(found: dict[str, Any], watch: Stopwatch) -> float:
    """Seconds of the matrix products and exponentials alone, at the rates of this GPU."""
    from .kernels.card import Work

    if watch.card is None:
        raise ValueError("there is no GPU")
    tflop: float = sum(cost["product_tflop"] for cost in found["stages"].values())
    bounds = watch.card.bounds(Work(found["exponentials"], 1e12 * tflop))
    return (bounds["exponents"] + bounds["products"]) / 1000


def _scene(arguments: argparse.Namespace, resolution: int) -> Scene:
    """The routed object that is asked for."""
    import torch

    from .kernels.scene import scene_of, views_of

    resolution = arguments.resolution or resolution
    if resolution % 8:
        raise LsrmError(f"{resolution} voxels per side.", "Give a multiple of 8, as 96.")
    views, name = views_of(arguments.views)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return scene_of(views, name, resolution, device)
