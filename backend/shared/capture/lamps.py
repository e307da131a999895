# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lamps that light a capture, as capture.json describes them."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

Triple = tuple[float, float, float]

KINDS = ("POINT", "SPOT", "SUN", "AREA")
"""As in Blender's API."""


@dataclass(frozen=True)
class Lamp:
    """A lamp in the world of the views, in Blender's radiometric units.

    Attributes:
        kind: one of `KINDS`.
        power: linear RGB; radiant power in W, of a SUN irradiance in W/m^2.
        position: (x, y, z); without meaning for a SUN.
        direction: unit, towards where it shines; without meaning for a POINT.
        axis: unit, along the first side of an AREA.
        size: sides of an AREA, else the diameter twice; of a SUN the apparent one, in radians.
        is_round: whether an AREA is an ellipse.
        cone: full angle of a SPOT in radians, and which share of it is a soft edge.
    """

    kind: str
    power: Triple
    position: Triple = (0.0, 0.0, 0.0)
    direction: Triple = (0.0, 0.0, -1.0)
    axis: Triple = (1.0, 0.0, 0.0)
    size: tuple[float, float] = (0.0, 0.0)
    is_round: bool = True
    cone: tuple[float, float] = (math.pi, 0.0)

    def to_dict(self) -> dict[str, Any]:
        """The lamp as capture.json describes it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Any) -> Lamp | None:
        """The lamp of an entry of capture.json; None if the entry describes none."""
        try:
            lamp = cls(
                kind=values["kind"],
                power=_numbers(values["power"], 3),  # type: ignore[arg-type]
                position=_numbers(values["position"], 3),  # type: ignore[arg-type]
                direction=_numbers(values["direction"], 3),  # type: ignore[arg-type]
                axis=_numbers(values["axis"], 3),  # type: ignore[arg-type]
                size=_numbers(values["size"], 2),  # type: ignore[arg-type]
                is_round=bool(values["is_round"]),
                cone=_numbers(values["cone"], 2),  # type: ignore[arg-type]
            )
        except (KeyError, TypeError, ValueError):
            return None
        return lamp if lamp.kind in KINDS else None


def read_lamps(description: dict[str, Any]) -> tuple[Lamp, ...] | None:
    """The lamps of the content of capture.json; None if some are not described well enough."""
    lighting = description.get("lighting")
    entries = lighting.get("lamps", []) if isinstance(lighting, dict) else []
    if not isinstance(entries, list):
        # Captures once stored the number of lamps only.
        return None if isinstance(entries, int) and entries > 0 else ()
    lamps = [Lamp.from_dict(entry) for entry in entries]
    known = tuple(lamp for lamp in lamps if lamp is not None)
    return known if len(known) == len(lamps) else None


def _numbers(values: Any, count: int) -> tuple[float, ...]:
    """Finite numbers of a JSON list of known length.

    Raises:
        ValueError: if they are not.
    """
    numbers = tuple(float(value) for value in values)
    if len(numbers) != count or not all(math.isfinite(number) for number in numbers):
        raise ValueError(values)
    return numbers
