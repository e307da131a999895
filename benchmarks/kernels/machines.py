# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stated figures of GPUs: what models compute with, and bounds where nothing measures them."""

from __future__ import annotations

from dataclasses import dataclass

LANES = 32  # of a warp


@dataclass(frozen=True)
class Machine:
    """Stated figures of a GPU.

    Attributes:
        name: of the card.
        capability: compute capability, as 90.
        processors: multiprocessors.
        gigahertz: clock under load.
        float_clocks: of a scheduler for one float32 instruction of a warp.
        warpgroup_products: multiply-adds per clock and scheduler, of warpgroup instructions.
        warp_products: the same of instructions of one warp.
        shared_kib: shared memory of a multiprocessor.
        cache_bytes: that L2 gives a multiprocessor per clock.
        cache_clocks: latency of L2 under load.
    """

    name: str
    capability: int
    processors: int
    gigahertz: float
    float_clocks: int
    warpgroup_products: int
    warp_products: int
    shared_kib: int
    cache_bytes: float
    cache_clocks: int = 600

    def programs(self, warps: int, registers: int, shared: int) -> int:
        """How many programs of so many warps, registers per thread and bytes fit at once."""
        of_warp = -(-registers * LANES // 256) * 256
        fitting = (
            65536 // (of_warp * warps),
            self.shared_kib * 1024 // (shared + 1024),
            (48 if self.capability in (89, 120) else 64) // warps,
        )
        return min(fitting)


A100 = Machine("A100 80 GB", 80, 108, 1.41, 2, 256, 256, 164, cache_bytes=26.6)
H100 = Machine("H100 SXM, H200", 90, 132, 1.755, 1, 512, 320, 228, cache_bytes=24.2)
MACHINES = {machine.capability: machine for machine in (A100, H100)}
