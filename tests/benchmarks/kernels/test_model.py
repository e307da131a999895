# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The model of speeds: how it reads machine code, what it issues, what its report may claim."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("triton", reason="Triton is made for Linux and Windows")

from benchmarks.kernels.issue import Scheduler, throughput
from benchmarks.kernels.machines import H100, Machine
from benchmarks.kernels.model import beside
from benchmarks.kernels.sass import (
    Instruction,
    copies_ahead,
    instructions,
    longest_loop,
    spills,
)

LISTING = """
kernel:
        /*0000*/                   I2F.RP R0, R5 ;      /* 0x0000000500007306 */
                                                        /* 0x000f620000209400 */
.L_x_1:
        /*0010*/                   MUFU.RCP R0, R0 ;    /* 0x0000000000007308 */
                                                        /* 0x020f640000001000 */
.L_x_2:
        /*0020*/              @!P0 STL [R1], R2 ;       /* 0x0000000201007387 */
                                                        /* 0x000fe20000000800 */
        /*0030*/               @P0 BRA `(.L_x_2) ;      /* 0x0000000000007947 */
                                                        /* 0x000fea000383ffff */
        /*0040*/               @P1 BRA `(.L_x_1) ;      /* 0x0000000000007947 */
                                                        /* 0x000fea000383ffff */
        /*0050*/                   EXIT ;               /* 0x000000000000794d */
                                                        /* 0x000fea0003800000 */
"""


def made(opcode: str, operands: str = "", **control) -> Instruction:
    """An instruction that waits for nothing and one clock."""
    codes = {"stall": 1, "written": None, "read": None, "waits": ()} | control
    return Instruction(opcode, operands, **codes)


def test_control_codes_are_read():
    """A division waits for the barrier that the conversion before it holds."""
    found, labels = instructions(LISTING)
    assert [each.name for each in found] == ["I2F", "MUFU", "STL", "BRA", "BRA", "EXIT"]
    convert, divide = found[:2]
    assert convert.written == 5
    assert divide.waits == (5,)
    assert (divide.stall, divide.read) == (2, None)
    assert found[2].opcode == "STL"
    assert labels == {".L_x_1": 1, ".L_x_2": 2}


def test_the_longest_loop_is_the_outer_one():
    """From the label to the last branch back; spills are counted everywhere."""
    assert [each.name for each in longest_loop(LISTING)] == ["MUFU", "STL", "BRA", "BRA"]
    assert spills(LISTING) == 1
    assert longest_loop("") == []


def test_exponents_take_eight_clocks_and_sums_one():
    """A loop of one kind of instruction reaches the rate of its unit."""
    exponents = throughput(H100, 2, 8, [made("MUFU.EX2")] * 40)
    assert exponents.clocks == pytest.approx(320, rel=0.02)
    assert exponents.exponents == pytest.approx(1, abs=0.02)
    sums = throughput(H100, 2, 8, [made("FADD")] * 40)
    assert sums.clocks == pytest.approx(40, rel=0.02)
    assert sums.issue == pytest.approx(1, abs=0.02)


def test_more_warps_hide_the_latency_of_a_copy():
    """One program waits for L2 in every turn; with eight of them the others go on."""
    loop = [made("LDGSTS.E.128"), made("LDGDEPBAR", written=0), made("DEPBAR.LE", "SB0, 0x0")]
    loop += [made("FADD")] * 40
    alone, many = throughput(H100, 1, 4, loop), throughput(H100, 8, 4, loop)
    assert alone.clocks > H100.cache_clocks
    assert many.clocks < 1.1 * max(alone.clocks / 8, 512 * 4 / H100.cache_bytes)
    ahead = [*loop[:2], made("DEPBAR.LE", "SB0, 0x1"), *loop[3:]]
    assert throughput(H100, 1, 4, ahead).clocks < 0.6 * alone.clocks
    assert (copies_ahead(loop), copies_ahead(ahead)) == (0, 1)


def test_warps_of_a_program_wait_for_each_other():
    """At a barrier, all of a program's warps; those of another program do not matter."""
    scheduler = Scheduler(H100, 2, 8)
    first, second, *others = scheduler.warps
    scheduler._arrive(first, 10)
    scheduler._arrive(others[0], 11)
    assert first.ready == float("inf")
    scheduler._arrive(second, 50)
    assert 50 < first.ready == second.ready < 100
    assert others[0].ready == float("inf")


@pytest.mark.parametrize(
    ("warps", "registers", "kib", "programs"),
    [(8, 93, 32, 2), (4, 128, 8, 4), (4, 255, 8, 2), (4, 32, 100, 2), (8, 16, 1, 8)],
)
def test_programs_fit_by_registers_memory_and_warps(warps, registers, kib, programs):
    """64 K registers, 228 KiB and 64 warps of a multiprocessor; a KiB of each program is taken."""
    assert H100.programs(warps, registers, kib * 1024) == programs


def test_speeds_are_compared_score_by_score():
    """Both gradients together are as fast as the sum of their times, not of their rates."""

    def rows(speeds):
        return [
            {"kernel": name, "capability": capability, "tflops": speed}
            for capability in (80, 90)
            for name, speed in speeds.items()
        ]

    before = rows({"forward": 100.0, "query": 60.0, "key": 80.0})
    after = rows({"forward": 150.0, "query": 120.0, "key": 80.0})
    found = {each["kernel"]: each["faster"] for each in beside(before, after)}
    assert found == {"forward": 1.5, "query": 2.0, "key": 1.0, "backward": pytest.approx(4 / 3)}


def test_the_committed_report_is_marked_as_modelled(repository):
    """Its numbers are no measurements, its launches spill nothing, published figures check it."""
    folder = repository / "benchmarks" / "results"
    found = json.loads((folder / "kernels-model.json").read_text("utf-8"))
    assert found["kind"].startswith("modelled")
    assert len(found["published"]) >= 3
    assert found["not_seen"]
    assert all(row["spills"] == 0 for row in found["launches"])
    assert {row["capability"] for row in found["launches"]} == {80, 89, 90, 100, 120}
    faster = {row["kernel"]: row["faster"] for row in found["beside"] if row["capability"] == 90}
    assert faster["forward"] >= 1.8
    assert faster["backward"] >= 1.3


def test_a_machine_states_its_figures():
    """Peak rates that follow from them are those of the data sheet."""
    peak = H100.processors * H100.gigahertz * 4 * 2 * H100.warpgroup_products / 1e3
    assert 900 < peak < 1000
    assert isinstance(H100, Machine)
