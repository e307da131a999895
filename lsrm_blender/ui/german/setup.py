# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""German texts of the preferences, and of setup and log."""

from __future__ import annotations

GERMAN = {
    # The page in the preferences.
    "Backend Python": "Python des Backends",
    "An interpreter that has the backend's packages; empty looks for one": (
        "Ein Interpreter mit den Paketen des Backends; leer sucht einen"
    ),
    "Device": "Gerät",
    "What the backend computes on": "Womit das Backend rechnet",
    "The graphics card if there is one that works": "Die Grafikkarte, falls es eine gibt",
    "Processor": "Prozessor",
    "Slower, and always available": "Langsamer, aber immer verfügbar",
    "CUDA": "CUDA",
    "An NVIDIA graphics card": "Eine NVIDIA-Grafikkarte",
    "All CUDA Cards": "Alle CUDA-Karten",
    "The network runs on all NVIDIA graphics cards": (
        "Das Netz läuft auf allen NVIDIA-Grafikkarten"
    ),
    "For results of files that were never saved; empty means in your documents": (
        "Für Ergebnisse nie gespeicherter Dateien; leer heißt: im Dokumente-Ordner"
    ),
    "Time Limit": "Zeitgrenze",
    "Seconds after which a stage of a job is stopped": (
        "Sekunden, nach denen eine Stufe abgebrochen wird"
    ),
    "Accept License": "Lizenz annehmen",
    "The backend is not installed.": "Das Backend ist nicht installiert.",
    "Installing the backend": "Backend wird installiert",
    "PyTorch": "PyTorch",
    "The build of PyTorch that is installed with the backend": (
        "Die Fassung von PyTorch, die mit dem Backend installiert wird"
    ),
    "The build that fits the graphics driver": "Die Fassung, die zum Grafiktreiber passt",
    "CUDA 13": "CUDA 13",
    "For NVIDIA drivers from version 580": "Für NVIDIA-Treiber ab Version 580",
    "CUDA 12": "CUDA 12",
    "For NVIDIA drivers from version 525": "Für NVIDIA-Treiber ab Version 525",
    "This computer has no driver for this build": (
        "Dieser Rechner hat keinen Treiber für diese Fassung"
    ),
    "{}: {} GB to download, {} GB on disk": "{}: {} GB zu laden, {} GB auf der Platte",
    "The backend runs in {}": "Das Backend läuft in {}",
    "Blender may not go online, which this needs": (
        "Blender darf nicht ins Netz, und das ist dafür nötig"
    ),
    "Blender was started with --offline-mode": "Blender wurde mit --offline-mode gestartet",
    "Allow Online Access": "Online-Zugriff erlauben",
    "Allow Blender and its extensions to go online, as in its system preferences": (
        "Blender und seinen Erweiterungen das Netz erlauben, wie in den Systemeinstellungen"
    ),
    "Remove Backend": "Backend entfernen",
    "Remove the backend that LSRM has installed; results and checkpoints stay": (
        "Das von LSRM installierte Backend entfernen; Ergebnisse und Gewichte bleiben"
    ),
    "Remove": "Entfernen",
    "To install it again takes a download": "Neu zu installieren braucht einen Download",
    # All checks of a job, and the self-test.
    "Check Everything": "Alles prüfen",
    "List all that the job needs: what there is, what is missing, what mends it": (
        "Alles auflisten, was der Auftrag braucht: was da ist, was fehlt, was es behebt"
    ),
    "Backend": "Backend",
    "Disk": "Platte",
    "Memory": "Arbeitsspeicher",
    "about {} needed": "etwa {} nötig",
    "{} free, about {} needed": "{} frei, etwa {} nötig",
    "{} of {} free": "{} von {} frei",
    "{} views of {} pixels": "{} Ansichten mit {} Pixeln",
    "{}, whose license is accepted": "{}, deren Lizenz angenommen ist",
    "Self-Test": "Selbsttest",
    "Ask the backend, the graphics card and a second Blender what they can do": (
        "Backend, Grafikkarte und ein zweites Blender fragen, was sie können"
    ),
    "Testing Blender": "Blender wird geprüft",
    "Memory for this job": "Speicher für diesen Auftrag",
    "{} of {} checks have passed": "{} von {} Prüfungen bestanden",
    # Checkpoints.
    "Checkpoints: {}": "Gewichte: {}",
    "Add Checkpoint": "Gewichte hinzufügen",
    "Convert downloaded weights, check them, and choose them in this scene": (
        "Geladene Gewichte umwandeln, prüfen und in dieser Szene wählen"
    ),
    "Adding the checkpoint": "Gewichte werden hinzugefügt",
    "Download": "Download",
    "The folder of the released weights, or one of its files": (
        "Der Ordner der veröffentlichten Gewichte, oder eine Datei daraus"
    ),
    "DINOv3": "DINOv3",
    "The file of the image features; empty if they are installed": (
        "Die Datei der Bildmerkmale; leer, wenn sie installiert sind"
    ),
    # The buttons.
    "Install Backend": "Backend installieren",
    "Install Backend…": "Backend installieren …",
    "Download and install the backend's packages, once, apart from Blender's own Python": (
        "Die Pakete des Backends einmal laden und installieren, getrennt von Blenders Python"
    ),
    "Open Preferences": "Voreinstellungen öffnen",
    "Show the preferences of LSRM": "Die Voreinstellungen von LSRM zeigen",
    "Open Log": "Protokoll öffnen",
    "Copy Report": "Bericht kopieren",
    "Copy versions, device, error and the end of the log, to paste where you ask for help; "
    "your home folder is left out": (
        "Versionen, Gerät, Fehler und das Ende des Protokolls kopieren, um sie einzufügen, wo du "
        "um Hilfe bittest; dein persönlicher Ordner steht nicht darin"
    ),
    "Show the log of the last job in a text editor": (
        "Das Protokoll des letzten Auftrags in einem Texteditor zeigen"
    ),
}
