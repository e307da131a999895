# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which views see enough of an object, decided by which points of its surface each of them sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

ENOUGH, ENOUGH_IN_CAVITIES = 3, 2
"""Views that a point of the surface needs: one that many candidates see, and one that few do."""

CAVITY = 0.12
"""Share of the candidates that see a point, below which it lies in a cavity. A flat surface is seen
by 0.37 of them, the bottom of a cup as deep as it is wide by 0.06."""

MOST = 2.0
"""Times the number of views that were requested, which are taken at most."""


@dataclass(frozen=True)
class Coverage:
    """How well views see the points of a surface.

    Attributes:
        points: the number of those that any candidate sees.
        cavities: the number of those of them that lie in cavities.
        short: the number of those that too few views see.
    """

    points: int
    cavities: int
    short: int

    def to_dict(self) -> dict[str, Any]:
        """As capture.json describes it."""
        return {
            "points": self.points,
            "in_cavities": self.cavities,
            "seen_by_too_few": self.short,
            "views_needed": [ENOUGH, ENOUGH_IN_CAVITIES],
        }

    def warnings(self) -> list[str]:
        """A sentence for the user, if there is something to say."""
        if not self.short:
            return []
        share = max(1.0, 100.0 * self.short / self.points)
        short = f"fewer than {ENOUGH} views ({ENOUGH_IN_CAVITIES} in cavities)"
        return [f"{share:.0f} % of the visible surface is in {short}. Take more views."]


def needed_views(seen: np.ndarray) -> np.ndarray:
    """How many views each point needs, [points].

    Args:
        seen: [points, candidates], whether a candidate sees a point.
    """
    count = seen.sum(axis=1)
    wanted = np.where(count < CAVITY * seen.shape[1], ENOUGH_IN_CAVITIES, ENOUGH)
    return np.minimum(wanted, count)


def added_views(seen: np.ndarray, base: np.ndarray, most: int) -> list[int]:
    """Candidates to add to a base of views, so that all points are seen by as many as they need.

    Each step takes the candidate that sees most of what is missing; a point that no view sees yet
    counts more than one that lacks its last view.

    Args:
        seen: [points, candidates], whether a candidate sees a point.
        base: [points], how many views of the base see a point.
        most: the number to add at most.

    Returns:
        Indices of candidates, in the order of their use.
    """
    needed = needed_views(seen)
    missing = np.maximum(needed - base, 0)
    chosen: list[int] = []
    while len(chosen) < most and missing.any():
        urgency = missing / np.maximum(needed, 1)
        gains = urgency @ seen
        gains[chosen] = 0.0
        best = int(gains.argmax())
        if gains[best] <= 0.0:
            break
        chosen.append(best)
        missing = np.maximum(missing - seen[:, best], 0)
    return chosen


def judge_coverage(seen: np.ndarray, views: np.ndarray) -> Coverage:
    """How well views see the points.

    Args:
        seen: [points, candidates], whether a candidate sees a point.
        views: [points], how many of the views see a point.
    """
    visible = seen.any(axis=1)
    needed = needed_views(seen)
    in_cavity = visible & (seen.sum(axis=1) < CAVITY * seen.shape[1])
    return Coverage(int(visible.sum()), int(in_cavity.sum()), int((views < needed).sum()))
