# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine code of a compiled kernel, read with its control codes: what the model issues.

Each instruction is 128 bits. The upper bits say how long the warp waits behind it, which of six
barriers its result or its operands hold, and which barriers it waits for.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import triton

_LINE = re.compile(r"^\s*/\*([0-9a-f]{4,})\*/\s+(.*?);\s*/\* 0x([0-9a-f]{16}) \*/")
_UPPER = re.compile(r"^\s*/\* 0x([0-9a-f]{16}) \*/")
_LABEL = re.compile(r"^(\.L_\S+):")
_TARGET = re.compile(r"\(?(\.L_\w+)\)?")
_NO_BARRIER = 7


@dataclass(frozen=True)
class Instruction:
    """One instruction.

    Attributes:
        opcode: with its suffixes, as "LDGSTS.E.BYPASS.128".
        operands: as listed.
        stall: clocks until the warp may issue the next instruction.
        written: barrier that is held until the result is written; None if there is none.
        read: barrier that is held until the operands are read.
        waits: barriers that must be free before.
        target: label of a branch.
    """

    opcode: str
    operands: str
    stall: int
    written: int | None
    read: int | None
    waits: tuple[int, ...]
    target: str = ""

    @property
    def name(self) -> str:
        """The opcode without suffixes."""
        return self.opcode.partition(".")[0]


def listing(cubin: bytes) -> str:
    """All instructions with their encodings."""
    return _output(cubin, "nvdisasm", "-c", "-hex")


def registers(cubin: bytes) -> int:
    """Registers of a thread."""
    found = re.search(r"REG:(\d+)", _output(cubin, "cuobjdump", "-res-usage"))
    if found is None:
        raise ValueError("the listing names no registers")
    return int(found[1])


def spills(text: str) -> int:
    """Instructions of a listing that move registers to or from local memory."""
    return len(re.findall(r"\b(?:LDL|STL)\b", text))


def _output(cubin: bytes, tool: str, *options: str) -> str:
    """What one of the tools that come with Triton writes about a kernel."""
    path = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / tool
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "kernel.cubin"
        file.write_bytes(cubin)
        command = [str(path), *options, str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout


def instructions(text: str) -> tuple[list[Instruction], dict[str, int]]:
    """All instructions of a listing, and where its labels stand."""
    found: list[Instruction] = []
    labels: dict[str, int] = {}
    lower: re.Match[str] | None = None
    for line in text.splitlines():
        if label := _LABEL.match(line):
            labels[label[1]] = len(found)
        elif match := _LINE.match(line):
            lower = match
        elif lower and (match := _UPPER.match(line)):
            found.append(_instruction(lower[2], int(match[1], 16)))
            lower = None
    return found, labels


def longest_loop(text: str) -> list[Instruction]:
    """The loop with the most instructions; empty if there is none."""
    found, labels = instructions(text)
    loops = [
        found[labels[each.target] : position + 1]
        for position, each in enumerate(found)
        if each.name == "BRA" and labels.get(each.target, position + 1) < position
    ]
    return max(loops, key=len, default=[])


def copies_ahead(loop: list[Instruction]) -> int:
    """How many groups of copies are still on their way when a turn of the loop begins to read."""
    waits = [each.operands for each in loop if each.name == "DEPBAR" and "SB0" in each.operands]
    return max((int(wait.split("0x")[1], 16) for wait in waits), default=0)


def _instruction(text: str, upper: int) -> Instruction:
    words = text.split()
    if words[0].startswith("@"):
        words = words[1:]
    operands = " ".join(words[1:])
    target = _TARGET.search(operands) if words[0].startswith("BRA") else None
    return Instruction(
        words[0],
        operands,
        stall=upper >> 41 & 15,
        written=_barrier(upper >> 46 & 7),
        read=_barrier(upper >> 49 & 7),
        waits=tuple(number for number in range(6) if upper >> 52 + number & 1),
        target=target[1] if target else "",
    )


def _barrier(number: int) -> int | None:
    return None if number == _NO_BARRIER else number
