# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Warnings about views that are dark, lit from one side, or overexposed."""

from __future__ import annotations

import numpy as np
import pytest

from backend.shared.cameras import fibonacci_sphere, look_at
from backend.shared.capture.view_brightness import FEWEST_VIEWS, ViewBrightness, not_said_yet
from backend.shared.srgb import linear_to_srgb

LIGHT = np.array((0.6, 0.0, 0.8))


def seen(levels, alpha=1.0):
    """The brightness of views, evenly around, of these linear levels."""
    brightness = ViewBrightness()
    for direction, level in zip(fibonacci_sphere(len(levels)), levels, strict=True):
        gray = linear_to_srgb(np.full((8, 8, 3), level).clip(0.0, 1.0))
        brightness.add(gray, np.full((8, 8), alpha), look_at(3.0 * direction, np.zeros(3)))
    return brightness


def towards_light(count=12):
    """The cosine between views and the light."""
    return fibonacci_sphere(count) @ LIGHT


@pytest.mark.parametrize(
    ("levels", "begin"),
    [
        (np.full(12, 0.4), None),
        (0.3 + 0.2 * towards_light(), None),  # brighter on one side, and nowhere dark
        (0.02 + 0.4 * towards_light().clip(0.0), "One-sided light: views from there"),
        (0.4 * towards_light().clip(0.0), "Dark views: "),
        (np.full(12, 0.004), "Dark views: 12 of 12 are nearly black."),
        (np.full(12, 1.2), "Bright views: 100 % of the object's pixels are overexposed."),
        (np.tile((0.03, 0.4, 0.03, 0.4), 3), None),  # paint, which no light explains
        ((0.02 + 0.4 * towards_light().clip(0.0))[: FEWEST_VIEWS - 1], None),
    ],
)
def test_only_light_that_spoils_a_result_is_warned_of(levels, begin):
    """Each kind has its sentence, the worst one alone; good light and painted sides have none."""
    warnings = seen(levels).warnings()
    assert len(warnings) == (begin is not None)
    assert all(text.startswith(begin) for text in warnings)


def test_views_without_object_do_not_count():
    """Pixels beside the object say nothing."""
    assert seen(np.full(4, 0.0), alpha=0.2).warnings() == []


def test_a_kind_of_warning_is_said_once():
    """A warning that a capture brings along is not repeated with other numbers."""
    said = ["Dark views: 3 of 12 are nearly black."]
    assert not_said_yet(["Dark views: 4 of 12 are nearly black."], said) == []
    assert not_said_yet(["Bright views: 30 %."], said) == ["Bright views: 30 %."]
