# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""German texts of tasks: their titles, their stages, and what they have come to."""

from __future__ import annotations

GERMAN = {
    "Capture {}": "{} aufnehmen",
    "Reconstruct {}": "{} rekonstruieren",
    "Check {}": "{} prüfen",
    "Compare {}": "{} vergleichen",
    "Add {}": "{} hinzufügen",
    "Find cameras of {}": "Kameras von {} suchen",
    "Make masks of {}": "Masken von {} machen",
    "Turntable of {}": "Drehteller von {}",
    "Contact sheet of {}": "Kontaktabzug von {}",
    "Install the backend": "Backend installieren",
    "Install photograph tools": "Fotowerkzeuge installieren",
    # Stages.
    "Open": "Öffnen",
    "Measure": "Messen",
    "Masks": "Masken",
    "Dense stage": "Dichte Stufe",
    "Selection": "Auswahl",
    "Routing": "Zuordnung",
    "Sparse stage": "Dünne Stufe",
    "Hull": "Hülle",
    "Stereo": "Stereo",
    "Mesh": "Netz",
    "Materials": "Materialien",
    "Write": "Schreiben",
    "Install": "Installieren",
    # Outcomes.
    "{} is in the scene": "{} ist in der Szene",
    "{} views of {} are in Past Results": "{} Ansichten von {} sind unter Frühere Ergebnisse",
    "The quads of {} are in Past Results": "Die Vierecke von {} sind unter Frühere Ergebnisse",
    "Another file is open now: the result is not in it yet.": (
        "Jetzt ist eine andere Datei offen: Das Ergebnis ist noch nicht darin."
    ),
    "The backend is installed": "Das Backend ist installiert",
    "Installed: {}. {} is chosen.": "Installiert: {}. {} ist gewählt.",
    "The photograph tools are installed": "Die Fotowerkzeuge sind installiert",
    "The turntable is in {}": "Der Drehteller ist in {}",
    "The contact sheet is {}": "Der Kontaktabzug ist {}",
    # Warnings of the views.
    "Warnings": "Warnungen",
    "Show all that the views of the running job are warned of": (
        "Alle Warnungen zu den Ansichten des laufenden Auftrags zeigen"
    ),
    # Two ways to stop.
    "Stop at the next opportunity; the backend stays ready for the next job": (
        "Bei nächster Gelegenheit anhalten; das Backend bleibt für den nächsten Auftrag bereit"
    ),
    "End the process at once; its memory is free then, and the next job starts anew": (
        "Den Prozess sofort beenden; sein Speicher ist dann frei, der nächste Auftrag beginnt neu"
    ),
    "Backend and second Blender use {} of memory now": (
        "Backend und zweites Blender belegen jetzt {} Speicher"
    ),
}
