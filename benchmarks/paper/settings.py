# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is evaluated, and how; the part of it that scores depend on is stored with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from backend.shared.errors import BadRequest

from .layouts.known import LAYOUTS, Layout
from .protocols import PROTOCOLS, Protocol

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """An evaluation.

    Attributes:
        name: of the protocol.
        data: folder of the data set.
        output: folder of everything that is written.
        layout_name: one of `LAYOUTS`; empty: the protocol's.
        views: input views; None: the protocol's number.
        samples: of the renders, paths per pixel.
        lpips_weights: file with the weights of LPIPS; may be empty.
        only: names of objects; empty: all of them.
        reconstruct: options of `ReconstructRequest`.
    """

    name: str
    data: Path
    output: Path
    layout_name: str = ""
    views: int | None = None
    samples: int = 32
    lpips_weights: str = ""
    only: tuple[str, ...] = ()
    reconstruct: dict[str, Any] = field(default_factory=dict)

    @property
    def protocol(self) -> Protocol:
        """The numbers of the protocol."""
        return PROTOCOLS[self.name]

    @property
    def layout(self) -> Layout:
        """How the folders of the data set lie.

        Raises:
            BadRequest: if there is no layout of that name.
        """
        name = self.layout_name or self.protocol.layout
        if name not in LAYOUTS:
            raise BadRequest(f"There is no layout {name}.", f"Use one of {', '.join(LAYOUTS)}.")
        return LAYOUTS[name]

    @property
    def view_count(self) -> int:
        """Input views that are wanted of every object."""
        return self.views or self.protocol.views

    @property
    def material(self) -> str:
        """Of the reconstruction."""
        requested = str(self.reconstruct.get("material", "auto"))
        return self.protocol.material if requested == "auto" else requested

    def identity(self, *, flip: bool) -> dict[str, Any]:
        """What scores depend on, as JSON.

        Args:
            flip: whether FLIP can be measured.
        """
        options = {name: str(value) for name, value in self.reconstruct.items()}
        return {
            "protocol": self.name,
            "layout": self.layout_name or self.protocol.layout,
            "data": str(self.data.resolve()),
            "views": self.view_count,
            "samples": self.samples,
            "flip": flip,
            "lpips_weights": self.lpips_weights,
            **options,
            "material": self.material,
        }
