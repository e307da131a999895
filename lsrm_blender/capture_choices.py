# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The choices of a capture by name; standard library only, because help texts show them."""

from __future__ import annotations

SOFT_BOXES = "softboxes"
"""The light that LSRM computes, a studio of soft boxes: the default of captures."""

SCENE = "scene"
"""The world and the lamps of the file that is captured; white from all around if it has none."""

FILE = "FILE"
"""An HDR image of the user's own."""

BUNDLED = ("forest", "city", "courtyard", "interior", "night", "studio", "sunrise", "sunset")
"""The studio lights that come with Blender."""

TOGETHER, EACH = "TOGETHER", "EACH"
"""One result for all selected objects, or one for each."""

SPHERE, UPPER, RINGS = "sphere", "upper", "rings"
COVERAGE, CAMERAS, ANIMATION = "coverage", "cameras", "animation"

PLACEMENTS = {
    SPHERE: "evenly all around",
    UPPER: "all around, from above only",
    RINGS: "three rings, as on a turntable",
    COVERAGE: "all around, and more views where parts are hidden",
    CAMERAS: "the cameras of the scene",
    ANIMATION: "the scene's camera along its animation",
}
"""Where the views of a capture are taken from."""
