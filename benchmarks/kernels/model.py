# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast the attention kernels would be on GPUs that are not here: modelled, not measured.

    python3 -m benchmarks.kernels.model --out benchmarks/results/kernels-model.json

Every kernel is compiled for the GPU, and its longest loop issued with the compiler's own control
codes (`issue.py`), for as many programs as fit a multiprocessor. One factor takes that to a speed:
the one by which plain Triton at a width of 64 agrees with what is published. Other published
figures, `PUBLISHED`, say how far to trust the rest.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import triton

from kernels.core.routing_plan import RUN_TOKENS, TILE_QUERIES
from kernels.gpu.launch import fitted, launch
from kernels.gpu.launch_table import Limits

from .ahead_of_time import compile_attention, compile_for
from .dense_loop import dense_kernel
from .issue import SCHEDULERS, throughput
from .machines import H100, MACHINES
from .sass import copies_ahead, listing, longest_loop, registers, spills

if TYPE_CHECKING:
    from kernels.gpu.launch import Launch

COUNTED = (80, 89, 90, 100, 120)
"""Compiled for all of these; timed where there is a machine above."""

HEADS, WIDTH = 16, 32  # of the paper, per key/value head
FLOPS = {"forward": 4, "query": 6, "key": 8}
"""Of the products of a kernel, per score and unit of the width."""

PUBLISHED = {
    "dense, width 64": (351.0, 403.0),
    "dense, width 128": (487.0,),
    "one query per program, width 128": (90.0,),
    "gain of a fixed maximum": (0.068, 0.20),
}
"""TF/s of Triton on an H100, forward, bfloat16: dense attention of 16K tokens, of which the faster
at a width of 64 makes the factor; the sparse kernel with 131K tokens, 16 blocks and 16 heads, from
which the rate of L2 was inferred. And what leaving out the running maximum won, as a share."""

VARIANTS = (
    ("forward, any scores", Limits(128, 64, 8, 3)),
    ("forward", Limits(128, 64, 4, 3)),
    ("forward", Limits(128, 64, 8, 2)),
    ("query, any scores", Limits(128, 64, 8, 3)),
    ("query", Limits(128, 64, 4, 3)),
    ("key", Limits(128, 64, 4, 2)),
    ("key", Limits(128, 64, 8, 3)),
)
"""Launches that the table does not have: kernel, size of a program."""

UNSEEN = (
    "prologue and epilogue of a program, partial last waves, and tiles of unequal length",
    "masked scores: pairs computed, not pairs selected, are counted",
    "misses of L2, conflicts of banks of registers and shared memory, the instruction cache",
    "clocks under the limit of power, other than by the one factor",
    "the order in which the hardware picks among ready warps",
    "whether all warps of a program reach a barrier together on the other three schedulers",
    "products of tensor memory: sm_100 and sm_120 are counted, not timed",
)
"""What the model does not know."""


@dataclass(frozen=True)
class Modelled:
    """One compiled variant.

    Attributes:
        kernel: "forward", "query", "key", or a dense loop.
        capability: that it is compiled for.
        rows: of a program's matrices.
        keys: of one turn of the loop.
        width: of a head.
        warps: of a program.
        stages: of the software pipeline.
        bounded: without a running maximum.
        registers: of a thread.
        shared_bytes: of a program.
        programs: that fit a multiprocessor at once.
        warps_per_processor: of these programs.
        instructions_per_score: of all threads.
        copies_ahead: groups of copies that a turn does not wait for.
        spills: of registers.
        tflops: modelled, of the kernel's own products; None where there is no machine.
        exponents: share of the exponent unit, before the factor; so are all following ones.
        issued: share of clocks in which a scheduler issues.
        products: share of the matrix unit.
        cache: share of the rate of L2.
        bytes_in_flight: copies on their way to a multiprocessor, on average.
    """

    kernel: str
    capability: int
    rows: int
    keys: int
    width: int
    warps: int
    stages: int
    bounded: bool
    registers: int
    shared_bytes: int
    programs: int
    warps_per_processor: int
    instructions_per_score: float
    copies_ahead: int
    spills: int
    tflops: float | None = None
    exponents: float | None = None
    issued: float | None = None
    products: float | None = None
    cache: float | None = None
    bytes_in_flight: float | None = None


@dataclass(frozen=True)
class Loop:
    """A program as the model takes it.

    Attributes:
        name: of the kernel.
        rows: of its matrices.
        keys: of a turn.
        width: of a head.
        warps: of the program.
        stages: of the software pipeline.
        bounded: without a running maximum.
        flops: per score.
    """

    name: str
    rows: int
    keys: int
    width: int
    warps: int
    stages: int
    bounded: bool
    flops: int


def modelled(compiled: Any, loop: Loop, capability: int) -> Modelled:
    """Count one compiled program and, where there is a machine, time it; before the factor."""
    cubin, shared = compiled.asm["cubin"], compiled.metadata.shared
    text = listing(cubin)
    body, scores = longest_loop(text), loop.rows * loop.keys
    machine = MACHINES.get(capability, H100)
    programs = machine.programs(loop.warps, registers(cubin), shared)
    row = Modelled(
        loop.name, capability, loop.rows, loop.keys, loop.width, loop.warps, loop.stages,
        loop.bounded, registers(cubin), shared, programs, programs * loop.warps,
        len(body) * 32 * loop.warps / scores, copies_ahead(body), spills(text),
    )  # fmt: skip
    if capability not in MACHINES:
        return row
    reached = throughput(machine, programs, loop.warps, body)
    per_second = SCHEDULERS * scores / loop.warps / reached.clocks * machine.gigahertz * 1e9
    return replace(
        row,
        tflops=per_second * machine.processors * loop.flops / 1e12,
        exponents=reached.exponents,
        issued=reached.issue,
        products=reached.products,
        cache=reached.cache,
        bytes_in_flight=reached.copies,
    )


def attention_row(name: str, found: Launch, capability: int) -> Modelled:
    """An attention kernel in bfloat16 in one launch; "forward, any scores" has a maximum."""
    kernel, _, unbounded = name.partition(", ")
    bounded = not unbounded and kernel != "key"
    keys = found.keys if kernel == "key" else RUN_TOKENS
    loop = Loop(
        name, found.tile * found.group, keys, found.width, found.warps, found.stages, bounded,
        FLOPS[kernel] * found.width,
    )  # fmt: skip
    compiled = compile_attention(kernel, found, torch.bfloat16, capability, bounded=bounded)
    return modelled(compiled, loop, capability)


def launches() -> list[Modelled]:
    """What the table launches, in the paper's shape, on every architecture."""
    shape = (TILE_QUERIES["cuda"], HEADS, WIDTH)
    return [
        attention_row(name, launch(name, torch.bfloat16, shape, capability // 10), capability)
        for capability in COUNTED
        for name in FLOPS
    ]


def variants() -> list[Modelled]:
    """What else was thought of, on Hopper."""
    found = []
    for name, limits in VARIANTS:
        shape = (TILE_QUERIES["cuda"], HEADS, WIDTH)
        row = fitted(name.partition(", ")[0], torch.bfloat16, shape, limits)
        found.append(attention_row(name, row, H100.capability))
    return found


def dense(width: int, *, bounded: bool) -> Modelled:
    """The fastest of the usual launches of a plain dense loop on Hopper, as autotuning finds it."""
    types, rows = {"tokens": "i32", "scale": "fp32"}, []
    for columns, warps, stages in ((64, 8, 3), (128, 8, 3)):
        constants = {"ROWS": 128, "COLUMNS": columns, "WIDTH": width, "BOUNDED": bounded}
        constants |= {"num_warps": warps, "num_stages": stages}
        compiled = compile_for(
            dense_kernel, constants, H100.capability, lambda name: types.get(name, "*bf16")
        )
        loop = Loop("dense", 128, columns, width, warps, stages, bounded, 4 * width)
        rows.append(modelled(compiled, loop, H100.capability))
    return max(rows, key=lambda row: row.tflops or 0)


def query_centric(width: int) -> Modelled:
    """One query per program: 16 heads are the rows, every query reads its keys anew."""
    row = fitted("forward", torch.bfloat16, (1, HEADS, width), Limits(16, 64, 1, 3))
    return attention_row("forward, any scores", row, H100.capability)


def published() -> tuple[float, list[dict[str, Any]]]:
    """The factor, and what else is published beside what the model makes of it."""
    plain = {width: dense(width, bounded=False) for width in (64, 128)}
    fixed = {width: dense(width, bounded=True) for width in (64, 128)}
    factor = PUBLISHED["dense, width 64"][-1] / (plain[64].tflops or 1)
    gains = [(fixed[width].tflops or 0) / (plain[width].tflops or 1) - 1 for width in (64, 128)]
    found = {
        "dense, width 64": [factor * (plain[64].tflops or 0)],
        "dense, width 128": [factor * (plain[128].tflops or 0)],
        # L2 bounds it, whose rate is one under load: without the factor of the schedulers.
        "one query per program, width 128": [query_centric(128).tflops or 0],
        "gain of a fixed maximum": gains,
    }
    return factor, [
        {"what": what, "published": span, "modelled": found[what]}
        for what, span in PUBLISHED.items()
    ]


def beside(before: list[dict[str, Any]], now: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Speeds of an earlier report beside those of this one, and how much faster scores are."""
    rows = []
    for capability in MACHINES:
        speeds = [
            {row["kernel"]: row["tflops"] for row in table if row["capability"] == capability}
            for table in (before, now)
        ]
        old, new = speeds
        rows += [
            {"capability": capability, "kernel": name, "before": old[name], "now": new[name],
             "faster": new[name] / old[name]}
            for name in FLOPS
        ]  # fmt: skip
        spent = [sum(FLOPS[name] / each[name] for name in ("query", "key")) for each in speeds]
        rows.append({"capability": capability, "kernel": "backward", "faster": spent[0] / spent[1]})
    return rows


def report(earlier: dict[str, Any] | None) -> dict[str, Any]:
    """Everything, with the factor applied, also to the launches of an earlier report."""
    factor, checked = published()

    def scaled(rows: list[Modelled], by: float) -> list[dict[str, Any]]:
        return [
            asdict(row if row.tflops is None else replace(row, tflops=row.tflops * by))
            for row in rows
        ]

    table, before = scaled(launches(), factor), []
    if earlier:
        before = scaled(
            [Modelled(**row) for row in earlier["launches"]], factor / earlier["factor"]
        )
    return {
        "kind": "modelled from compiled code, not measured on a GPU",
        "compiler": f"triton {triton.__version__}",
        "machines": [asdict(machine) for machine in MACHINES.values()],
        "factor": factor,
        "published": checked,
        "not_seen": UNSEEN,
        "launches": table,
        "variants": scaled(variants(), factor),
        "before": before,
        "beside": beside(before, table) if before else [],
    }


def main() -> None:
    """Write the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="file to write, as JSON")
    parser.add_argument("--before", type=Path, help="an earlier report, to compare with")
    options = parser.parse_args()
    earlier = json.loads(options.before.read_text("utf-8")) if options.before else None
    options.out.write_text(json.dumps(report(earlier), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
