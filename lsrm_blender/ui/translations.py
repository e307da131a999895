# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Translations of the texts of panel and preferences; messages of the backend stay English."""

from __future__ import annotations

from .german import comparison, relight, setup, tasks, workflow

GERMAN = {
    **relight.GERMAN,
    **comparison.GERMAN,
    **setup.GERMAN,
    **workflow.GERMAN,
    **tasks.GERMAN,
    # The panel.
    "Reconstruct": "Rekonstruieren",
    "Settings": "Einstellungen",
    "Result": "Ergebnis",
    "Capture": "Aufnehmen",
    "Select what to reconstruct": "Auswählen, was rekonstruiert werden soll",
    "{} objects": "{} Objekte",
    "{}, {} left": "{}, noch {}",
    "Starting…": "Startet …",
    "Stopping…": "Hält an …",
    "Live Preview": "Live-Vorschau",
    "Show the shape so far in the viewport while a job runs": (
        "Die bisherige Form im Viewport zeigen, während ein Auftrag läuft"
    ),
    "Stop": "Anhalten",
    "Stop Now": "Sofort anhalten",
    "Try Again": "Noch einmal",
    "Check": "Prüfen",
    "Look Through": "Hindurchsehen",
    "Import": "Importieren",
    "Capturing views": "Ansichten werden aufgenommen",
    "Reconstructing": "Wird rekonstruiert",
    "Importing": "Wird importiert",
    "Remeshing to quads": "Wird zu Vierecken vernetzt",
    "Checking the views": "Ansichten werden geprüft",
    "Finding cameras": "Kameras werden gesucht",
    "Making masks": "Masken werden gemacht",
    "Looking for photograph tools": "Fotowerkzeuge werden gesucht",
    "Installing photograph tools": "Fotowerkzeuge werden installiert",
    # Before a capture.
    "Looking…": "Sieht nach …",
    "Ready: {} views, about {}": "Bereit: {} Ansichten, etwa {}",
    "Ready: about {}": "Bereit: etwa {}",
    "Starting the backend": "Backend wird gestartet",
    "No object is selected.": "Kein Objekt ist ausgewählt.",
    "Select the objects to reconstruct.": "Wähle aus, was rekonstruiert werden soll.",
    "No image lights the capture.": "Kein Bild beleuchtet die Aufnahme.",
    "No views are chosen.": "Keine Ansichten sind gewählt.",
    "Draft": "Entwurf",
    "Few small views and no refinement: shows whether it works": (
        "Wenige kleine Ansichten, nicht verfeinert: zeigt, ob es geht"
    ),
    "Normal": "Normal",
    "For most objects": "Für die meisten Objekte",
    "Best": "Fein",
    "Many large views and a fine mesh": "Viele große Ansichten und ein feines Netz",
    "Quality": "Qualität",
    "Use Quality": "Qualität übernehmen",
    "Set the number, size and samples of the views, refinement, texture and faces": (
        "Zahl, Größe und Samples der Ansichten, Verfeinerung, Textur und Flächen einstellen"
    ),
    "Preview Cameras": "Kameras zeigen",
    "Show the cameras of the capture in the scene, or remove them again": (
        "Die Kameras der Aufnahme in der Szene zeigen oder wieder entfernen"
    ),
    "Cameras": "Kameras",
    "Where the views are taken from": "Von wo die Ansichten aufgenommen werden",
    "Sphere": "Kugel",
    "Evenly all around": "Gleichmäßig rundum",
    "From Above": "Von oben",
    "Evenly all around, from above only": "Gleichmäßig rundum, nur von oben",
    "Turntable": "Drehteller",
    "Three rings, as on a turntable": "Drei Ringe, wie auf einem Drehteller",
    "Coverage": "Abdeckung",
    "All around, and more views where parts are hidden": (
        "Rundum, und mehr Ansichten, wo Teile verdeckt sind"
    ),
    "Scene Cameras": "Kameras der Szene",
    "All perspective cameras of the scene": "Alle perspektivischen Kameras der Szene",
    "Camera Animation": "Kamerafahrt",
    "The scene's camera, at frames along its animation": (
        "Die Kamera der Szene, an Bildern entlang ihrer Animation"
    ),
    # What is known of the views.
    "{} photographs without cameras": "{} Fotos ohne Kameras",
    "{} views, {} x {}": "{} Ansichten, {} x {}",
    "{} views, up to {} x {}": "{} Ansichten, bis {} x {}",
    "Masks": "Masken",
    "{} from files": "{} aus Dateien",
    "{} from transparency": "{} aus Transparenz",
    "{} missing": "{} fehlen",
    "Cameras and masks agree: {} %": "Kameras und Masken stimmen überein: {} %",
    "Doubtful: {} % of the masks fit": "Zweifelhaft: {} % passen",
    "The cameras are probably wrong": "Kameras vermutlich falsch",
    "Cameras and masks do not fit": "Kameras und Masken passen nicht",
    # Settings.
    "Source": "Quelle",
    "What the reconstruction starts from": "Wovon die Rekonstruktion ausgeht",
    "Objects": "Objekte",
    "Photograph the selected objects from all around": (
        "Die ausgewählten Objekte von allen Seiten fotografieren"
    ),
    "Views": "Ansichten",
    "Posed images, or photographs whose cameras are to be found": (
        "Bilder mit bekannten Kameras, oder Fotos, deren Kameras gesucht werden"
    ),
    "A capture folder, a transforms.json, a COLMAP model, or photographs": (
        "Ein Aufnahmeordner, eine transforms.json, ein COLMAP-Modell oder Fotos"
    ),
    "Fix Cameras": "Kameras berichtigen",
    "Correct a usual mistake in the cameras, if that makes the masks fit": (
        "Einen üblichen Fehler der Kameras berichtigen, wenn die Masken dann passen"
    ),
    "Up": "Oben",
    "Axis of the world of the views that becomes Blender's Z": (
        "Achse der Welt der Ansichten, die zu Blenders Z wird"
    ),
    "As the cameras were held, where they say it": (
        "Wie die Kameras gehalten wurden, wo sie es zeigen"
    ),
    "Z": "Z",
    "As in Blender": "Wie in Blender",
    "Y": "Y",
    "As in glTF and in many tools": "Wie in glTF und vielen Werkzeugen",
    "Mask Model": "Maskenmodell",
    "An ONNX file that makes missing masks; empty means by colors and shape": (
        "Eine ONNX-Datei, die fehlende Masken macht; leer heißt: nach Farben und Form"
    ),
    "Backdrop": "Hintergrund",
    "A plain color behind the object, by which missing masks are made": (
        "Eine einheitliche Farbe hinter dem Objekt, nach der fehlende Masken gemacht werden"
    ),
    "Colors and the common shape of the photographs show the object": (
        "Farben und gemeinsame Form der Fotos zeigen das Objekt"
    ),
    "The color along the borders of the photographs": "Die Farbe an den Rändern der Fotos",
    "White": "Weiß",
    "White or light gray": "Weiß oder hellgrau",
    "Black": "Schwarz",
    "Black or dark gray": "Schwarz oder dunkelgrau",
    "Green": "Grün",
    "A green screen": "Ein Greenscreen",
    "Blue": "Blau",
    "A blue screen": "Ein Bluescreen",
    "Erode Masks": "Masken verkleinern",
    "Pixels by which masks shrink, where they show some of the background": (
        "Pixel, um die Masken schrumpfen, wo sie etwas vom Hintergrund zeigen"
    ),
    "Feather Masks": "Masken weichzeichnen",
    "Pixels over which masks are soft at their edge": ("Pixel, über die Masken am Rand weich sind"),
    "Output": "Ausgabe",
    "Where captures and results go; empty means beside the .blend file": (
        "Wohin Aufnahmen und Ergebnisse kommen; leer heißt: neben die .blend-Datei"
    ),
    "The folder of the last result": "Der Ordner des letzten Ergebnisses",
    "Results": "Ergebnisse",
    "What several selected objects become": "Was aus mehreren ausgewählten Objekten wird",
    "One for All": "Eines für alle",
    "All selected objects become one result": "Alle ausgewählten Objekte werden ein Ergebnis",
    "One Each": "Je eines",
    "Every selected object becomes a result of its own": (
        "Jedes ausgewählte Objekt wird ein eigenes Ergebnis"
    ),
    # The history.
    "Past Results": "Frühere Ergebnisse",
    "No results yet": "Noch keine Ergebnisse",
    "Views only": "Nur Ansichten",
    "Use Views": "Ansichten nutzen",
    "{} views of {} px": "{} Ansichten mit {} px",
    "no weights": "ohne Gewichte",
    "refined": "verfeinert",
    "not refined": "nicht verfeinert",
    "{} faces": "{} Flächen",
    "{} px texture": "Textur mit {} px",
    "Refresh": "Aktualisieren",
    "Look for results on disk again": "Noch einmal nach Ergebnissen auf der Platte suchen",
    "Open Folder": "Ordner öffnen",
    "Show the folder of these files in the file manager": (
        "Den Ordner dieser Dateien im Dateimanager zeigen"
    ),
    "Delete": "Löschen",
    "Delete Result": "Ergebnis löschen",
    "Delete the files of this result from disk; imported objects stay": (
        "Die Dateien dieses Ergebnisses von der Platte löschen; importierte Objekte bleiben"
    ),
    "How many images are taken around the object": "Wie viele Bilder rundum gemacht werden",
    "Size": "Größe",
    "Of the square images, in pixels": "Der quadratischen Bilder, in Pixeln",
    "Samples": "Samples",
    "Paths that Cycles traces per pixel": "Pfade, die Cycles je Pixel verfolgt",
    "Light": "Licht",
    "What lights the capture": "Was die Aufnahme beleuchtet",
    "Neutral soft boxes on all sides: no part is dark, materials show": (
        "Neutrale Softboxen auf allen Seiten: nichts ist dunkel, Materialien sind zu erkennen"
    ),
    "Scene": "Szene",
    "The scene's own world and lamps": "Welt und Lampen der Szene",
    "Studio": "Studio",
    "File": "Datei",
    "An HDR image of your own": "Ein eigenes HDR-Bild",
    "Image": "Bild",
    "An equirectangular HDR image": "Ein HDR-Rundumbild (equirektangular)",
    "Checkpoint": "Gewichte",
    "The weights of the network": "Die Gewichte des Netzes",
    "None": "Keine",
    "No network: starts from the silhouettes. Works for everyone": (
        "Kein Netz: beginnt mit den Silhouetten. Geht bei allen"
    ),
    "The small weights of this project where they ship, else none": (
        "Die kleinen Gewichte dieses Projekts, wo sie dabei sind, sonst keine"
    ),
    "LSRM color": "LSRM Farbe",
    "The released weights that predict shape and color": (
        "Die veröffentlichten Gewichte, die Form und Farbe vorhersagen"
    ),
    "LSRM materials": "LSRM Materialien",
    "The released weights that predict shape and materials": (
        "Die veröffentlichten Gewichte, die Form und Materialien vorhersagen"
    ),
    "Mini": "Mini",
    "The small weights of this project, where they are installed": (
        "Die kleinen Gewichte dieses Projekts, wo sie installiert sind"
    ),
    "Folder": "Ordner",
    "Weights of your own": "Eigene Gewichte",
    "Weights": "Gewichte",
    "A folder with a config.json": "Ein Ordner mit einer config.json",
    "Material": "Material",
    "What the textures hold": "Was die Texturen enthalten",
    "Color": "Farbe",
    "The color of the views, with the light in it": "Die Farbe der Ansichten, mit deren Licht",
    "PBR": "PBR",
    "PBR where the light is known; else a color without it, if it can be separated": (
        "PBR, wo das Licht bekannt ist; sonst eine Farbe ohne Licht, falls es sich trennen lässt"
    ),
    "Base color, roughness and metallic, free of the light": (
        "Grundfarbe, Rauheit und Metall, ohne das Licht"
    ),
    "Refine": "Verfeinern",
    "Fit the result to the views: sharper, and about half a minute longer": (
        "Das Ergebnis den Ansichten anpassen: schärfer, und etwa eine halbe Minute länger"
    ),
    "Off": "Aus",
    "Take the result as it is": "Das Ergebnis nehmen, wie es ist",
    "Automatic": "Automatisch",
    "For as long as it gets better": "Solange es besser wird",
    "Texture": "Textur",
    "Side of the textures in pixels": "Seite der Texturen in Pixeln",
    "As fine as the views": "So fein wie die Ansichten",
    "Pack Textures": "Texturen einpacken",
    "Store textures in the .blend file; off leaves them as files beside the result": (
        "Texturen in der .blend-Datei speichern; aus lässt sie als Dateien neben dem Ergebnis"
    ),
    "Faces": "Flächen",
    "Levels of Detail": "Detailstufen",
    "Triangles of coarser meshes, such as 10000, 2000; empty makes none": (
        "Dreiecke gröberer Netze, etwa 10000, 2000; leer macht keine"
    ),
    "Quads": "Vierecke",
    "Also make a mesh of quads with textures of its own, to sculpt and animate": (
        "Auch ein Netz aus Vierecken mit eigenen Texturen machen, zum Formen und Animieren"
    ),
    "Triangles of the mesh, about": "Dreiecke des Netzes, ungefähr",
    # What the buttons do.
    "Photograph the selected objects from all around, with all cameras known": (
        "Die ausgewählten Objekte von allen Seiten fotografieren, mit bekannten Kameras"
    ),
    "Make a textured mesh of the source and put it into the scene, where it belongs": (
        "Aus der Quelle ein texturiertes Netz machen und an seinen Platz in der Szene setzen"
    ),
    "Show and Check": "Zeigen und prüfen",
    "Show the cameras of the views in the scene, and look for mistakes in them": (
        "Die Kameras der Ansichten in der Szene zeigen und nach Fehlern darin suchen"
    ),
    "Correct the likely mistake in the cameras, whenever these views are used": (
        "Den wahrscheinlichen Fehler der Kameras berichtigen, wo die Ansichten benutzt werden"
    ),
    "Find Cameras": "Kameras finden",
    "Find from where the photographs were taken, and use a copy of them as views": (
        "Herausfinden, von wo die Fotos gemacht sind, und eine Kopie als Ansichten nehmen"
    ),
    "Make Masks": "Masken machen",
    "Make masks for the views that have none, and store them with the views": (
        "Masken für Ansichten ohne Maske machen und bei den Ansichten speichern"
    ),
    "Install Photograph Tools": "Fotowerkzeuge laden",
    "Download and install what finding cameras and making masks of photographs needs, once": (
        "Einmal laden und installieren, was Kameras und Masken von Fotos brauchen"
    ),
    "Import Views": "Ansichten importieren",
    "Show the cameras of posed images in the scene, each with its image": (
        "Die Kameras der Bilder in der Szene zeigen, jede mit ihrem Bild"
    ),
    "Look Through View": "Durch die Ansicht sehen",
    "Look through the active view's camera, with the render size of its image": (
        "Durch die Kamera der aktiven Ansicht sehen, mit der Rendergröße ihres Bildes"
    ),
    "Import Result": "Ergebnis importieren",
    "Put a finished result into the scene, at the position of its source": (
        "Ein fertiges Ergebnis an den Platz seiner Quelle in die Szene setzen"
    ),
    "Stop the job": "Den Auftrag anhalten",
    "Free Memory": "Speicher freigeben",
    "End the idle backend, which frees its memory; the next job starts it again": (
        "Das untätige Backend beenden und so Speicher freigeben; der nächste Auftrag startet es neu"
    ),
    "Original / Result": "Original / Ergebnis",
    "Show the original of the active result instead of it, or the other way round": (
        "Das Original des aktiven Ergebnisses statt seiner zeigen, oder umgekehrt"
    ),
    "Convert Files": "Dateien umwandeln",
    "Convert many files; for scripts, because it returns when all is done": (
        "Viele Dateien umwandeln; für Skripte, denn es kehrt erst am Ende zurück"
    ),
    "Use Less Memory": "Weniger Speicher nutzen",
    "Halve the textures, and where the views are still to be taken, their size; "
    "with a network their number": (
        "Die Texturen halbieren, und falls die Ansichten noch nicht aufgenommen sind, deren Größe; "
        "mit einem Netz ihre Anzahl"
    ),
    "Dismiss": "Wegräumen",
    "Remove the message from the panel": "Die Meldung aus dem Panel entfernen",
}

CONTEXTS = ("*", "Operator")
"""The translation contexts: buttons have their own."""

TRANSLATIONS = {
    "de_DE": {
        (context, english): german for english, german in GERMAN.items() for context in CONTEXTS
    }
}
