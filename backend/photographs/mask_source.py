# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes the masks that photographs lack."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..shared.backdrop import Backdrop
from ..shared.errors import BadRequest


@dataclass(frozen=True)
class MaskSource:
    """What makes masks; without anything, colors and the common shape of the photographs.

    Attributes:
        model: an ONNX file.
        backdrop: that the object stands before.
    """

    model: Path | None = None
    backdrop: Backdrop | None = None

    @classmethod
    def from_options(cls, model: str, backdrop: str) -> MaskSource:
        """The source that options state; empty ones state nothing.

        Raises:
            BadRequest: if they state two, or no backdrop that is known.
        """
        if model and backdrop:
            raise BadRequest(
                "Masks cannot be made by a model and by the backdrop at once.",
                "Choose one of the two.",
            )
        return cls(Path(model) if model else None, Backdrop.parse(backdrop) if backdrop else None)
