# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which objects of the quality benchmark constants are chosen on, and which are only reported.

A figure reached on the objects it was chosen on says little; the reported half is the honest one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

TUNING = (
    "gso_Cole_Hardware_Hammer_Black",
    "gso_Room_Essentials_Mug_White_Yellow",
    "gso_Schleich_African_Black_Rhino",
    "gso_TURBOPROP_AIRPLANE_WITH_PILOT",
    "pbr_FancyTeapot",
    "pbr_WaterBottle",
    "made_plain_cup",
    "made_glazed_figure",
)
"""Names of the objects that constants may be chosen on."""

REPORTING = (
    "gso_Cole_Hardware_School_Bell_Solid_Brass_38",
    "gso_Sootheze_Toasty_Orca",
    "gso_Womens_Bluefish_2Eye_Boat_Shoe_in_Tan",
    "pbr_BoomBox",
    "pbr_FlightHelmet",
    "pbr_TennisRacquet",
    "made_patterned_bowl",
    "made_metal_figure",
)
"""Names of the objects that no constant is chosen on."""

HALVES = {"tuning": TUNING, "reporting": REPORTING}

MADE = ("made_plain_cup", "made_patterned_bowl", "made_glazed_figure", "made_metal_figure")
"""Objects that the benchmark makes itself."""

GLOSSY = ("pbr_WaterBottle", "pbr_BoomBox", "pbr_FancyTeapot", "pbr_FlightHelmet")
"""Real objects that reflect."""

SCAN = "gso_"
"""How the names of the scans begin; they are matt."""

EXCLUDED = "racquet"
"""Its strings are painted with alpha and have no surface: it is in no mean."""


def half_of(name: str) -> str:
    """The half, "tuning" or "reporting"; empty for an object that is in neither half."""
    return next((half for half, names in HALVES.items() if name in names), "")


def groups_of(names: Iterable[str]) -> dict[str, list[str]]:
    """The objects that means are given over, by the title of the mean; empty groups left out."""
    counted = [name for name in names if EXCLUDED not in name.lower()]
    groups = {
        "scans": [name for name in counted if name.startswith(SCAN)],
        "glossy": [name for name in counted if name in GLOSSY],
        "real": [name for name in counted if name not in MADE],
        "made": [name for name in counted if name in MADE],
        "tuning": [name for name in counted if name in TUNING],
        "reporting": [name for name in counted if name in REPORTING],
    }
    return {title: group for title, group in groups.items() if group}
