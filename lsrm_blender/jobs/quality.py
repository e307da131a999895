# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings that belong together, from a quick look to the best that the views give."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Quality:
    """The settings of a capture and its reconstruction that cost time.

    Attributes:
        view_count: the number of views.
        view_size: of the square images, in pixels.
        samples: paths per pixel.
        refine: "off" or "auto".
        texture_size: "auto" or texels.
        faces: of the mesh, about.
    """

    view_count: int
    view_size: int
    samples: int
    refine: str
    texture_size: str
    faces: int

    def to_dict(self) -> dict[str, Any]:
        """By the names of the settings of a scene."""
        return asdict(self)


QUALITIES = {
    "DRAFT": Quality(12, 256, 8, "off", "1024", 10_000),
    "NORMAL": Quality(16, 512, 32, "auto", "auto", 50_000),
    "BEST": Quality(32, 1024, 64, "auto", "auto", 200_000),
}
