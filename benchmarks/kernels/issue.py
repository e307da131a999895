# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A loop of machine code, issued clock by clock on one of the four schedulers of a multiprocessor.

Warps issue in order, at most one instruction per clock in all: of the warp that issued last, as
long as it can, else of the youngest. An instruction waits for its stall count, for the barriers
named in its control code, and for its unit. Copies and loads arrive after the latency of L2, at
most at its rate. Products of a warpgroup run beside the other units.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, NamedTuple

from .machines import LANES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .machines import Machine
    from .sass import Instruction

SCHEDULERS = 4  # of a multiprocessor


@dataclass(frozen=True)
class Throughput:
    """What a loop reaches in its steady state.

    Attributes:
        clocks: of a turn of all warps of a scheduler together, over their number.
        issue: share of clocks in which an instruction is issued.
        exponents: share of the exponent unit.
        products: share of the matrix unit.
        cache: share of the rate of L2.
        copies: bytes on their way to a multiprocessor, on average.
    """

    clocks: float
    issue: float
    exponents: float
    products: float
    cache: float
    copies: float


_FLOAT = {"FFMA", "FMUL", "FADD", "HFMA2", "HADD2", "HMUL2", "FFMA2", "FMUL2", "FADD2", "IMAD"}
_EXPONENT = {"MUFU", "I2F", "F2I", "POPC"}
_SHARED = {"LDS", "STS", "LDSM", "STSM", "SHFL", "LDGSTS", "STG", "LDG", "LDC", "ATOMS"}
_CONTROL = {"BRA", "BAR", "NOP", "DEPBAR", "LDGDEPBAR", "WARPSYNC", "WARPGROUP", "FENCE", "BSSY",
            "BSYNC", "HGMMA", "HMMA", "S2R", "YIELD", "CS2R", "EXIT"}  # fmt: skip
_EXPONENT_CLOCKS = 8  # 16 per clock and multiprocessor
_SHARED_CLOCKS = 4  # one row of 128 bytes per clock and multiprocessor
_QUEUED = 4  # instructions that a slow unit takes before it is its turn
_LATENCY = {"MUFU": 20, "SHFL": 24, "LDS": 30, "LDSM": 33, "LDC": 40, "STS": 20, "R2UR": 12}
_BARRIER_CLOCKS, _BRANCH_CLOCKS, _PRODUCT_CLOCKS = 24, 8, 24  # until the warps go on
_WARM, _MEASURED = 3, 8  # turns per warp
_APART = (300.0, 500.0, 700.0, 1100.0)  # clocks


@dataclass
class _Warp:
    number: int
    program: int
    ready: float
    position: int = 0
    copied: float = 0.0  # when the last copy arrives
    arrived: bool = False
    pending: list[list[float]] = field(default_factory=lambda: [[0.0] for _ in range(6)])
    products: list[float] = field(default_factory=lambda: [0.0])


def throughput(
    machine: Machine, programs: int, warps: int, loop: Sequence[Instruction]
) -> Throughput:
    """The mean over several distances between the starts of programs, which decide who waits.

    Args:
        machine: to run on.
        programs: at once on a multiprocessor.
        warps: of a program.
        loop: the instructions of a turn.
    """
    found = [Scheduler(machine, programs, warps, apart).run(loop) for apart in _APART]
    means = {
        each.name: sum(getattr(one, each.name) for one in found) / len(found)
        for each in fields(Throughput)
    }
    return Throughput(**means)


class _Step(NamedTuple):
    """An instruction with its unit, for how many clocks, and the groups that it waits for."""

    instruction: Instruction
    unit: str
    clocks: float
    left: tuple[int, int] | None


class Scheduler:
    """One of the four schedulers, with its share of the units and of L2."""

    def __init__(self, machine: Machine, programs: int, warps: int, apart: float = 300.0) -> None:
        """Warps of each of several programs, which start some clocks after one another."""
        self.machine = machine
        each = max(1, warps // SCHEDULERS)
        count = max(1, programs * warps // SCHEDULERS)
        self.warps = [
            _Warp(number, number // each, apart * (number // each)) for number in range(count)
        ]
        self.free = dict.fromkeys(("issue", "float", "alu", "exponent", "shared"), 0.0)
        self.free |= dict.fromkeys(("uniform", "product", "cache"), 0.0)
        self.busy = dict.fromkeys(self.free, 0.0)
        self.flying = 0.0
        self.last = self.warps[0]

    def run(self, loop: Sequence[Instruction]) -> Throughput:
        """Issue a loop until every warp is in its steady state, and measure from there on."""
        steps = [_Step(each, *unit_of(each, self.machine), groups_left(each)) for each in loop]
        total, begin, before, flying = 0, 0.0, dict(self.busy), 0.0
        warm, end = _WARM * len(self.warps), (_WARM + _MEASURED) * len(self.warps)
        time = 0.0
        while total < end:
            time, warp = min(
                ((self._earliest(each, steps[each.position]), each) for each in self.warps),
                key=lambda found: (found[0], found[1] is not self.last, -found[1].number),
            )
            self._issue(warp, steps[warp.position], time)
            self.last = warp
            warp.position += 1
            if warp.position == len(loop):
                warp.position, total = 0, total + 1
                if total == warm:
                    begin, before, flying = time, dict(self.busy), self.flying
        spent = time - begin
        share = {unit: (clocks - before[unit]) / spent for unit, clocks in self.busy.items()}
        return Throughput(
            spent / (end - warm),
            share["issue"],
            share["exponent"],
            share["product"],
            share["cache"],
            SCHEDULERS * (self.flying - flying) / spent,
        )

    def _earliest(self, warp: _Warp, step: _Step) -> float:
        """When a warp can issue its next instruction."""
        time = max(warp.ready, self.free["issue"])
        for barrier in step.instruction.waits:
            time = max(time, warp.pending[barrier][-1])
        if step.left:
            barrier, groups = step.left
            done = warp.products if barrier < 0 else warp.pending[barrier]
            if len(done) > groups:
                time = max(time, done[-1 - groups])
        if step.unit in ("exponent", "shared"):
            return max(time, self.free[step.unit] - _QUEUED * step.clocks)
        if step.unit in ("float", "alu", "uniform"):
            return max(time, self.free[step.unit])
        return time

    def _issue(self, warp: _Warp, step: _Step, time: float) -> None:
        instruction, begin = step.instruction, time
        self.free["issue"] = time + 1
        self.busy["issue"] += 1
        if step.unit:
            begin = max(time, self.free[step.unit])
            self.free[step.unit] = begin + step.clocks
            self.busy[step.unit] += step.clocks
        warp.ready = time + max(1, instruction.stall)
        done = begin + _LATENCY.get(instruction.name, 10)
        if size := loaded(instruction):
            done = self._load(size, time)
            if instruction.name == "LDGSTS":
                warp.copied = max(warp.copied, done)
        elif instruction.name == "LDGDEPBAR":
            done = warp.copied
        elif instruction.name == "HGMMA":
            done = begin + step.clocks + _PRODUCT_CLOCKS
            if "gsb0" in instruction.operands:
                warp.products = [*warp.products[-7:], done]
        elif instruction.name == "BAR":
            self._arrive(warp, time)
        elif instruction.name == "BRA":
            warp.ready = time + max(_BRANCH_CLOCKS, instruction.stall)
        if instruction.written is not None:
            self._hold(warp, instruction.written, done)
        if instruction.read is not None:
            self._hold(warp, instruction.read, begin + step.clocks + 10)

    def _load(self, size: float, time: float) -> float:
        rate = self.machine.cache_bytes / SCHEDULERS
        begin = max(time, self.free["cache"])
        self.free["cache"] = begin + size / rate
        self.busy["cache"] += size / rate
        self.flying += size * (begin - time + self.machine.cache_clocks)
        return begin + self.machine.cache_clocks

    def _arrive(self, warp: _Warp, time: float) -> None:
        """Warps of a program go on together."""
        warp.arrived, warp.ready = True, float("inf")
        together = [each for each in self.warps if each.program == warp.program]
        if all(each.arrived for each in together):
            for each in together:
                each.arrived, each.ready = False, time + _BARRIER_CLOCKS

    @staticmethod
    def _hold(warp: _Warp, barrier: int, until: float) -> None:
        held = warp.pending[barrier]
        warp.pending[barrier] = [*held[-31:], max(until, held[-1])]


def unit_of(instruction: Instruction, machine: Machine) -> tuple[str, float]:
    """The unit that an instruction occupies, and for how many clocks; "" for none."""
    name = instruction.name
    if name in ("HGMMA", "HMMA"):
        return "product", _product_clocks(instruction, machine)
    if name in _FLOAT:
        return "float", 2 if name == "IMAD" else machine.float_clocks
    if name in _EXPONENT:
        return "exponent", _EXPONENT_CLOCKS
    if name in _SHARED:
        wide = 4 if re.search(r"\.128|\.M88\.4|\.4\b", instruction.opcode) else 1
        wide = 2 if ".64" in instruction.opcode else wide
        return "shared", _SHARED_CLOCKS * wide
    if name in _CONTROL:
        return "", 0
    return ("uniform", 2) if name.startswith("U") or name == "R2UR" else ("alu", 2)


def groups_left(instruction: Instruction) -> tuple[int, int] | None:
    """Barrier of copies, or -1 for products, and how many groups a wait leaves on their way."""
    if instruction.name == "DEPBAR":
        barrier, left = re.findall(r"SB(\d), 0x([0-9a-f]+)", instruction.operands)[0]
        return int(barrier), int(left, 16)
    if instruction.opcode.startswith("WARPGROUP.DEPBAR"):
        return -1, int(instruction.operands.split("0x")[1], 16)
    return None


def loaded(instruction: Instruction) -> int:
    """Bytes that an instruction of a warp reads from L2; a lone number costs a sector of 32."""
    if instruction.name == "LDGSTS":
        return LANES * (16 if ".128" in instruction.opcode else 4)
    return 32 if instruction.name == "LDG" else 0


def _product_clocks(instruction: Instruction, machine: Machine) -> float:
    if instruction.name == "HMMA":
        digits = instruction.opcode.split(".")[1]  # 16816: rows, columns, depth
        rows, columns, depth = int(digits[:2]), int(digits[2]), int(digits[3:])
        return rows * columns * depth / machine.warp_products
    _, columns, depth = map(int, re.findall(r"\d+", instruction.opcode)[:3])
    return 16 * columns * depth / machine.warpgroup_products
