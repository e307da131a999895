# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a capture is made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...capture_choices import SPHERE
from ..cameras.scene_cameras import Framing
from ..render_settings import RenderSettings

if TYPE_CHECKING:
    from ..lighting import EnvironmentLight


@dataclass(frozen=True)
class CaptureSettings:
    """How a capture is made.

    Attributes:
        views: the number of input views; coverage may add some, cameras of the scene replace it.
        placement: of the input views, one of `PLACEMENTS`.
        test_views: the number of held-out views, as far from the input views as possible.
        framing: size, field of view, distance.
        render: samples, seed, threads.
        environment: the light; None takes the file's own world and lamps.
        relight: other lights for the test views.
        passes: whether to store the materials of the test views, too.
        normalize: whether to write coordinates in which the bounding sphere has radius 0.5 and
            its center at the origin.
        panorama_width: of environment.hdr, in pixels.
        check_framing: whether views that show the object badly are rendered again.
    """

    views: int = 16
    placement: str = SPHERE
    test_views: int = 0
    framing: Framing = field(default_factory=Framing)
    render: RenderSettings = field(default_factory=RenderSettings)
    environment: EnvironmentLight | None = None
    relight: tuple[EnvironmentLight, ...] = ()
    passes: bool = False
    normalize: bool = False
    panorama_width: int = 1024
    check_framing: bool = True
