# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Do cameras and masks agree, and if not, why? Views that spoil the others; usual mistakes tried.

The evidence is `mask_coverage`. Where it is not that of a good capture, each view is left out and
each of the usual mistakes is corrected, for a trial: what brings the masks together is the cause.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..shared.errors import ObjectOutOfFrame
from .camera_mistakes import FOCAL_FACTORS, MISTAKES, CameraMistake, scaled_focal_length
from .mask_bounds import common_point
from .mask_coverage import MaskOutline, Precision, measure_coverage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .mask_coverage import Coverage

# Of the coverage of the masks. Above the first pair nothing is tried; below the second the user is
# warned even if no cause is found; below the last, the result would not be the object.
GOOD_MEAN, GOOD_WORST = 0.985, 0.95
WARN_MEAN, WARN_WORST = 0.95, 0.80
# Each view takes a little more away: with more views than that, the mean may be lower.
MANY_VIEWS, WARN_MEAN_OF_MANY = 24, 0.94
REFUSE_MEAN = 0.60
# Corrections are measured more finely than views are judged, on fewer rays of fewer views.
TRIAL = Precision(tolerance=0.3, rays=768, min_rays=48)
TRIAL_VIEWS = 12
# Nothing is tried if this measure is better.
NOTHING_TO_EXPLAIN = 0.995
# A correction is the cause if it leaves at most this part of the uncovered pixels.
REMAINING = 0.45
# ... covers at least this much more, and at least this much.
LEAST_GAIN, LEAST_HEALED = 0.006, 0.85
# A better explanation must cover this much more than one that is tried before it.
CLEARLY_BETTER = 0.004
# A view spoils the others if without it they are covered this much better.
SPOILED = 0.02
# At most this fraction of the views is left out.
MAX_LEFT_OUT = 0.25
# Fraction of the views that must look at the common point for a correction to be worth a measure.
CLEAR_MAJORITY = 0.8
FIX_OPTION = "The option --fix-cameras does that for one result."
# Two further factors around the best focal length, in turn.
REFINING_STEPS = (1.05, 1.02)


@dataclass(frozen=True)
class Judgment:
    """How well cameras and masks agree.

    Attributes:
        coverage: by view, the share of its mask that the hull of the views that are kept covers.
        spoilers: names of views without which the others are covered.
        mistake: the likely one of all cameras, or None.
        healed: the mean coverage if it is corrected.
        remedy: what to change, if there is a mistake.
    """

    coverage: dict[str, float]
    spoilers: tuple[str, ...] = ()
    mistake: CameraMistake | None = None
    healed: float = 0.0
    remedy: str = ""

    @property
    def mean(self) -> float:
        """The mean coverage."""
        return float(np.mean(list(self.coverage.values())))

    @property
    def worst(self) -> float:
        """The smallest coverage."""
        return min(self.coverage.values())

    @property
    def is_doubtful(self) -> bool:
        """Whether the user is to be warned."""
        bad = self.mean < warn_mean(len(self.coverage)) or self.worst < WARN_WORST
        return bad or self.mistake is not None

    @property
    def is_hopeless(self) -> bool:
        """Whether the result would not be the object."""
        return self.mean < REFUSE_MEAN

    def warnings(self) -> tuple[str, ...]:
        """For the artist; none for a good capture."""
        found = []
        if self.spoilers:
            names = ", ".join(self.spoilers)
            found.append(f"Left out because the masks of the others fit without: {names}.")
        if self.is_doubtful:
            found.append(f"{self._finding()} {self._advice()}")
        return tuple(found)

    def check(self) -> None:
        """Refuse views whose result would not be the object.

        Raises:
            ObjectOutOfFrame: with the likely mistake and its remedy, if there is one.
        """
        if self.is_hopeless:
            raise ObjectOutOfFrame(self._finding(), self._advice())

    def to_dict(self) -> dict[str, Any]:
        """The judgment as JSON."""
        return {
            "coverage": self.coverage,
            "mean_coverage": round(self.mean, 4),
            "left_out": list(self.spoilers),
            "likely_cause": self.mistake.code if self.mistake else None,
            "remedy": self.remedy,
        }

    def _finding(self) -> str:
        if self.mistake is not None and self.mean >= warn_mean(len(self.coverage)):
            return "Cameras and masks do not fit."
        worst = min(self.coverage, key=self.coverage.__getitem__)
        return (
            f"Cameras and masks do not fit: together the views cover {100 * self.mean:.0f} % of "
            f"their masks, in view {worst} {100 * self.worst:.0f} %."
        )

    def _advice(self) -> str:
        if self.mistake is None:
            return "Check that images, masks, lenses and poses belong together."
        return advice(self.mistake, self.remedy)


def warn_mean(views: int) -> float:
    """The mean coverage below which the user is warned, for a number of views."""
    return WARN_MEAN_OF_MANY if views > MANY_VIEWS else WARN_MEAN


def advice(mistake: CameraMistake, remedy: str) -> str:
    """The sentences about a likely mistake: what it is, what to write, what corrects it."""
    return f"{mistake.sentence} {remedy} {FIX_OPTION}"


def judge(names: Sequence[str], outlines: Sequence[MaskOutline]) -> Judgment:
    """Judge views that look at one common object.

    Args:
        names: of the views.
        outlines: of their masks, two or more.
    """
    coverage = measure_coverage(outlines)
    first = Judgment(_by_name(names, coverage))
    mistake, healed = find_mistake(outlines)
    if _is_good(coverage) and mistake is None:
        return first
    kept = _without_spoilers(outlines, coverage)
    if len(kept) < len(outlines):
        rest = measure_coverage([outlines[i] for i in kept])
        if rest.mean > healed - CLEARLY_BETTER and rest.mean >= warn_mean(len(kept)):
            spoilers = tuple(name for i, name in enumerate(names) if i not in kept)
            return Judgment(_by_name([names[i] for i in kept], rest), spoilers)
    remedy = mistake.remedy([outline.lens for outline in outlines]) if mistake else ""
    return Judgment(first.coverage, (), mistake, healed, remedy)


def find_mistake(outlines: Sequence[MaskOutline]) -> tuple[CameraMistake | None, float]:
    """The usual mistake whose correction brings the masks together, and the mean coverage then.

    Args:
        outlines: of the masks of all views.

    Returns:
        None and 0 if no correction does.
    """
    trial = _spread(outlines)
    covered = measure_coverage(trial, TRIAL).mean
    if covered >= NOTHING_TO_EXPLAIN:
        return None, 0.0
    needed = max(1.0 - REMAINING * (1.0 - covered), covered + LEAST_GAIN, LEAST_HEALED)
    best, healed = None, 0.0
    for mistake in MISTAKES:
        covered = _coverage_corrected(trial, mistake)
        if covered > healed + CLEARLY_BETTER:
            best, healed = mistake, covered
        if healed >= max(needed, NOTHING_TO_EXPLAIN):
            return best, healed
    if healed < needed:
        best, healed = _best_focal_length(trial)
    return (best, healed) if healed >= needed else (None, 0.0)


def _best_focal_length(trial: Sequence[MaskOutline]) -> tuple[CameraMistake, float]:
    """The factor on the focal length with which the masks are covered best."""
    covered = {factor: _covered_at(trial, factor) for factor in FOCAL_FACTORS}
    best = max(covered, key=covered.__getitem__)
    for step in REFINING_STEPS:
        for factor in (best / step, best * step):
            covered[factor] = _covered_at(trial, factor)
        best = max(covered, key=covered.__getitem__)
    return scaled_focal_length(best), covered[best]


def _covered_at(trial: Sequence[MaskOutline], factor: float) -> float:
    return _coverage_corrected(trial, scaled_focal_length(factor))


def _coverage_corrected(outlines: Sequence[MaskOutline], mistake: CameraMistake) -> float:
    """The mean coverage if a mistake is corrected; 0 where the cameras then look elsewhere."""
    corrected = [outline.corrected(mistake) for outline in outlines]
    changed = [outline for outline in corrected if outline is not None]
    if not changed:
        return 0.0
    trial = [new or old for new, old in zip(corrected, outlines, strict=True)]
    bounds = [outline.bounds for outline in trial]
    target = common_point(bounds)
    near = sum(bound.is_near(target, 0.0) for bound in bounds)
    if near < CLEAR_MAJORITY * len(trial):
        return 0.0
    return measure_coverage(trial, TRIAL).mean


def _without_spoilers(outlines: Sequence[MaskOutline], coverage: Coverage) -> list[int]:
    """The views that are left if those are left out that spoil the others; all, if that fails."""
    kept = list(range(len(outlines)))
    allowed = int(MAX_LEFT_OUT * len(outlines))
    while not _is_good(coverage) and len(outlines) - len(kept) < allowed:
        gains = coverage.without.mean(axis=1) - coverage.mean
        worst = int(gains.argmax())
        if gains[worst] < SPOILED and coverage.shares[worst] >= WARN_WORST:
            break
        del kept[worst]
        coverage = measure_coverage([outlines[i] for i in kept])
    return kept


def _is_good(coverage: Coverage) -> bool:
    return coverage.mean >= GOOD_MEAN and float(coverage.shares.min()) >= GOOD_WORST


def _spread(outlines: Sequence[MaskOutline]) -> list[MaskOutline]:
    """At most TRIAL_VIEWS of the views, evenly spaced in their order."""
    count = min(len(outlines), TRIAL_VIEWS)
    return [outlines[i] for i in np.linspace(0, len(outlines) - 1, count).round().astype(int)]


def _by_name(names: Sequence[str], coverage: Coverage) -> dict[str, float]:
    shares: Any = coverage.shares.round(4).tolist()
    return dict(zip(names, shares, strict=True))
