# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which objects of the quality benchmark constants are chosen on, and which are only reported.

A figure reached on the objects it was chosen on says little; the reported half is the honest one.
"""

from __future__ import annotations

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
