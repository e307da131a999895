# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""German texts of the part of the panel that compares a result with its views."""

from __future__ import annotations

GERMAN = {
    "Compare with Views": "Mit Ansichten vergleichen",
    "Render the result at the cameras of its views, and show where they differ, and how much": (
        "Das Ergebnis aus den Kameras seiner Ansichten rendern und zeigen, wo und wie sehr sie "
        "sich unterscheiden"
    ),
    "Of the result; empty takes the active one": "Des Ergebnisses; leer nimmt das aktive",
    "Directory": "Ordner",
    "Reading the views": "Ansichten werden gelesen",
    "Comparing": "Wird verglichen",
    "View": "Ansicht",
    "Difference": "Unterschied",
    "{} views: PSNR {} dB, SSIM {}, outline {} %": (
        "{} Ansichten: PSNR {} dB, SSIM {}, Umriss {} %"
    ),
    "Under the light of the views": "Unter dem Licht der Ansichten",
    "Colors, unlit": "Farben, ohne Licht",
    "Least alike: view {}": "Am wenigsten ähnlich: Ansicht {}",
}
