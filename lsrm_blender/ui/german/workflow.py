# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Translations of the queue, the menus, the status bar and what passes results on."""

from __future__ import annotations

GERMAN = {
    "Add Demo Object": "Demo-Objekt hinzufügen",
    "Add a toy rocket to try LSRM with, where it touches nothing, and select it": (
        "Eine Spielzeugrakete zum Ausprobieren hinzufügen, wo sie nichts berührt, und auswählen"
    ),
    "Queue": "Warteschlange",
    "Waiting": "Wartet",
    "Running": "Läuft",
    "Done": "Fertig",
    "Failed": "Gescheitert",
    "Stopped": "Angehalten",
    "Pause": "Pausieren",
    "Continue": "Weiter",
    "Paused: nothing starts by itself": "Pausiert: nichts startet von selbst",
    "Add to Queue": "In die Warteschlange",
    "Reconstruct the source as it is now, after all jobs that run or wait: "
    "other files can be opened meanwhile": (
        "Die Quelle, wie sie jetzt ist, nach allen Aufträgen rekonstruieren, die laufen oder "
        "warten: inzwischen können andere Dateien geöffnet werden"
    ),
    "Run Queue": "Warteschlange abarbeiten",
    "Run the waiting jobs, one after the other": ("Die wartenden Aufträge nacheinander ausführen"),
    "Pause Queue": "Warteschlange pausieren",
    "Start no waiting job; the one that runs goes on to its end": (
        "Keinen wartenden Auftrag starten; der laufende läuft zu Ende"
    ),
    "Remove from Queue": "Aus der Warteschlange nehmen",
    "Remove the chosen job from the queue; what it has made stays": (
        "Den gewählten Auftrag aus der Warteschlange nehmen; was er gemacht hat, bleibt"
    ),
    "Move in Queue": "In der Warteschlange verschieben",
    "Move the chosen job in the queue": "Den gewählten Auftrag in der Warteschlange verschieben",
    "Direction": "Richtung",
    "Down": "Unten",
    "Run it earlier": "Früher ausführen",
    "Run it later": "Später ausführen",
    "Remove Finished": "Fertige entfernen",
    "Remove the jobs that have ended from the queue; what they have made stays": (
        "Die beendeten Aufträge aus der Warteschlange nehmen; was sie gemacht haben, bleibt"
    ),
    "LSRM": "LSRM",
    "Posed Views (LSRM)": "Ansichten mit Kameras (LSRM)",
    "Posed Views (LSRM)…": "Ansichten mit Kameras (LSRM) …",
    "Reconstruction (LSRM)…": "Rekonstruktion (LSRM) …",
    "{}, {} waiting": "{}, {} warten",
    "Export": "Exportieren",
    "Export Result": "Ergebnis exportieren",
    "Export the selected results with their textures, as GLB, USD or OBJ": (
        "Die ausgewählten Ergebnisse mit ihren Texturen exportieren, als GLB, USD oder OBJ"
    ),
    "Format": "Format",
    "Of the file": "Der Datei",
    "GLB": "GLB",
    "One file with mesh, materials and textures, for most programs": (
        "Eine Datei mit Netz, Materialien und Texturen, für die meisten Programme"
    ),
    "USD": "USD",
    "For pipelines and film; textures lie beside it": (
        "Für Pipelines und Film; die Texturen liegen daneben"
    ),
    "OBJ": "OBJ",
    "The oldest format: mesh, color and normals; textures lie beside it": (
        "Das älteste Format: Netz, Farbe und Normalen; die Texturen liegen daneben"
    ),
    "Also write the coarser meshes of the result, each to a file beside it": (
        "Auch die gröberen Netze des Ergebnisses schreiben, jedes in eine Datei daneben"
    ),
    "Overwrite Levels": "Detailstufen überschreiben",
    "Replace the files of levels that are there already": (
        "Dateien von Detailstufen ersetzen, die schon da sind"
    ),
    "Export Views": "Ansichten exportieren",
    "Write the chosen views for other programs, into an empty or a new folder": (
        "Die gewählten Ansichten für andere Programme schreiben, in einen leeren oder neuen Ordner"
    ),
    "Of the cameras": "Der Kameras",
    "COLMAP": "COLMAP",
    "A model as text in sparse/0, beside the images": (
        "Ein Modell als Text in sparse/0, neben den Bildern"
    ),
    "transforms.json": "transforms.json",
    "As nerfstudio and instant-ngp have it": "Wie bei nerfstudio und instant-ngp",
    "Exporting views": "Ansichten werden exportiert",
    "{} views are in {}": "{} Ansichten sind in {}",
    "Export {}": "{} exportieren",
    "Mark as Asset": "Als Asset markieren",
    "Put the selected results into the asset browser, with picture and tags": (
        "Die ausgewählten Ergebnisse in den Asset-Browser stellen, mit Bild und Stichwörtern"
    ),
    "Tags": "Stichwörter",
    "By which the asset is found, with commas between": (
        "Unter denen das Asset gefunden wird, mit Kommas dazwischen"
    ),
    "Use the selected objects as the source": "Die ausgewählten Objekte als Quelle nehmen",
}
