# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""German texts of the part of the panel that relights."""

from __future__ import annotations

GERMAN = {
    "Image": "Bild",
    "An equirectangular HDR image that lights the scene; empty for other lights": (
        "Ein HDR-Rundbild, das die Szene beleuchtet; leer für andere Lichter"
    ),
    "What lights the scene": "Was die Szene beleuchtet",
    "Forest": "Wald",
    "City": "Stadt",
    "Courtyard": "Hof",
    "Interior": "Innenraum",
    "Night": "Nacht",
    "Studio": "Studio",
    "Sunrise": "Sonnenaufgang",
    "Sunset": "Sonnenuntergang",
    "Soft Boxes": "Softboxen",
    "The name of a light of Blender, or an equirectangular HDR image": (
        "Der Name eines Lichts von Blender oder ein HDR-Rundumbild (equirektangular)"
    ),
    "A folder with HDR images, to choose from as well": (
        "Ein Ordner mit HDR-Bildern, die ebenfalls zur Wahl stehen"
    ),
    "Strength": "Stärke",
    "Factor on the light": "Faktor für das Licht",
    "Rotation": "Drehung",
    "About the vertical axis": "Um die senkrechte Achse",
    "Lamps Off": "Lampen aus",
    "Switch the lamps of the scene off; they come back on with the same settings": (
        "Die Lampen der Szene ausschalten; sie gehen mit denselben Einstellungen wieder an"
    ),
    "Relight": "Beleuchten",
    "Light the scene by an environment; the world it had before is kept": (
        "Die Szene mit einer Umgebung beleuchten; ihre vorige Welt bleibt erhalten"
    ),
    "Environment": "Umgebung",
    "A file, a world or image of this .blend, or one of Blender's own lights": (
        "Eine Datei, eine Welt oder ein Bild dieser .blend, oder eines von Blenders Lichtern"
    ),
    "Restore": "Zurück",
    "Restore Light": "Licht zurückholen",
    "Give the scene back its world and lamps, and viewports their shading": (
        "Der Szene ihre Welt und Lampen zurückgeben, und den Ansichten ihre Darstellung"
    ),
    "This viewport does not show the light": "Diese Ansicht zeigt das Licht nicht",
    "Show Light": "Licht zeigen",
    "Switch this viewport to a shading that shows the light of the scene": (
        "Diese Ansicht so darstellen, dass das Licht der Szene zu sehen ist"
    ),
    "Shading": "Darstellung",
    "Material Preview": "Materialvorschau",
    "Fast, with the light of the scene": "Schnell, mit dem Licht der Szene",
    "Rendered": "Gerendert",
    "As in the final render, with the light of the scene": (
        "Wie im fertigen Bild, mit dem Licht der Szene"
    ),
    "Turntable and Contact Sheet": "Drehteller und Übersicht",
    "What a turntable becomes": "Was aus den Bildern eines Drehtellers wird",
    "Frames": "Bilder",
    "A PNG file for every frame": "Eine PNG-Datei je Bild",
    "Video": "Video",
    "A PNG file for every frame, and a video of them": (
        "Eine PNG-Datei je Bild, und ein Video daraus"
    ),
    "Of one turn; 24 last a second": "Einer Umdrehung; 24 dauern eine Sekunde",
    "Transparent": "Transparent",
    "Leave out the background; a video always has one": (
        "Den Hintergrund weglassen; ein Video hat immer einen"
    ),
    "Render the selected objects from all around, under the chosen light": (
        "Die ausgewählten Objekte rundum rendern, unter dem gewählten Licht"
    ),
    "Contact Sheet": "Übersicht",
    "Render the selected objects under the lights of the folder, or under all, on one picture": (
        "Die ausgewählten Objekte unter den Lichtern des Ordners oder unter allen rendern, "
        "auf einem Bild"
    ),
    "Rendering": "Wird gerendert",
}
