# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The estimate of a training as text and as JSON, and how the paper's days compare with it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from .estimate import SECONDS_PER_DAY, Machine, estimate

if TYPE_CHECKING:
    from ..settings.config import TrainingConfig
    from .estimate import PhaseEstimate

PUBLISHED_DAYS = {"paper": {"dense": 5.0, "sparse_48": 7.0, "sparse_96": 3.0}}
"""Of the phases of built-in configurations, on 128 GPUs, as the paper names them."""

PUBLISHED_GPUS = 128
PUBLISHED_OBJECTS = 600_000

NOTE = "Modelled from counts of multiply-adds and bytes; nothing of this was measured."
UNKNOWN = "Steps and objects of a step are not published."
NOT_MODELLED = "Input, stragglers and evaluation are not modelled."


def dry_run(config: TrainingConfig, gpus: int = PUBLISHED_GPUS) -> list[PhaseEstimate]:
    """The estimates of all phases.

    Raises:
        ValueError: if ranks that share sequences do not divide the number of GPUs.
    """
    found = []
    for phase in config.phases:
        if gpus % phase.sequence_ranks:
            raise ValueError(f"{gpus} GPUs cannot share sequences by {phase.sequence_ranks}")
        found.append(estimate(config.model_of(phase), phase, gpus, Machine()))
    return found


def as_text(config: TrainingConfig, found: list[PhaseEstimate], gpus: int) -> str:
    """The estimates for people."""
    machine = Machine()
    shares = machine.linear_share, machine.attention_share
    lines = [
        f"{config.name} on {gpus} x {machine.name} of {machine.memory / 1e9:.0f} GB.",
        NOTE,
        f"Assumed: of {2 * machine.products / 1e12:.0f} TFLOP/s {shares[0]:.0%} in linear maps and",
        f"{shares[1]:.0%} in attention; {machine.inside / 1e9:.0f} GB/s inside of a node and",
        f"{machine.outside / 1e9:.0f} GB/s between nodes.",
    ]
    for each in found:
        lines += [
            "",
            *_phase_lines(each, gpus, machine),
            *_published_lines(config.name, each, gpus),
        ]
    total = sum(each.days for each in found)
    lines += ["", f"All phases: {total:.1f} days, {24 * total * gpus:,.0f} GPU hours."]
    return "\n".join(lines)


def _phase_lines(each: PhaseEstimate, gpus: int, machine: Machine) -> list[str]:
    memory, seconds, tokens = each.memory, each.seconds, each.tokens
    parts = ", ".join(f"{name} {value / 1e9:.1f}" for name, value in vars(memory).items())
    spent = ", ".join(f"{name} {value:.2f}" for name, value in seconds.items() if value >= 0.005)
    verdict = "fits" if memory.total <= machine.memory else "does not fit"
    moved = each.traffic.weights / 1e9, each.traffic.sequence / 1e9
    size = f"{each.parameters / 1e6:,.0f} M parameters"
    return [
        f"{each.name}: {size}, {each.steps:,} steps of {each.objects:,} objects",
        f"  tokens of an object   {tokens.image:,} of images, {tokens.volume:,} of the volume",
        f"  memory of a GPU       {memory.total / 1e9:.1f} GB, {verdict}: {parts}",
        f"  moved to it in a step {moved[0]:.1f} GB of weights, {moved[1]:.1f} GB of tokens",
        f"  seconds of a step     {sum(seconds.values()):.2f}: {spent}",
        f"  days on {gpus} GPUs{each.days:11.1f}",
    ]


def _published_lines(name: str, each: PhaseEstimate, gpus: int) -> list[str]:
    """How the published days of a phase compare, where they are known."""
    days = PUBLISHED_DAYS.get(name, {}).get(each.name)
    if days is None or gpus != PUBLISHED_GPUS:
        return []
    possible = days * SECONDS_PER_DAY / sum(each.seconds.values())
    epochs = possible * each.objects / PUBLISHED_OBJECTS
    ratio, known = days / each.days, PUBLISHED_OBJECTS
    return [
        f"  published             {days:.0f} days, {ratio:.2f} times the modelled ones. {UNKNOWN}",
        f"                        At the modelled speed they hold {possible:,.0f} steps, each of",
        f"                        {known:,} objects {epochs:,.0f} times. {NOT_MODELLED}",
    ]


def as_json(config: TrainingConfig, found: list[PhaseEstimate], gpus: int) -> dict[str, Any]:
    """The estimates for programs."""
    phases = {
        each.name: {
            **asdict(each),
            "memory_total": each.memory.total,
            "days": each.days,
            "published_days": PUBLISHED_DAYS.get(config.name, {}).get(each.name),
        }
        for each in found
    }
    return {"name": config.name, "gpus": gpus, "kind": "modelled", "phases": phases}
