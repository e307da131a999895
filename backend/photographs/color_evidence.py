# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which colors speak for the object and which for its surroundings.

Two descriptions of the same samples: histograms, which tell for every pixel of every photograph how
likely it is part of the object, and mixtures of Gaussians, with which GrabCut finds an outline.
Surroundings are also expected in their own shadow, which the object tints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from scipy import ndimage

from .extras import PHOTOS
from .grab_cut import fit_color_model
from .mask_agreement import no_object

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .photograph import Photograph

    Bytes: TypeAlias = NDArray[np.uint8]
    Floats: TypeAlias = NDArray[np.float64]
    Floats32: TypeAlias = NDArray[np.float32]
    Bins: TypeAlias = NDArray[np.int32]

# Of CIELAB.
LIGHTNESS_BINS, COLOR_BINS = 14, 26
COLOR_RANGE = 90.0
SMOOTHING_BINS = 0.8
# Of a histogram's mass, spread over all bins: what is unlike the surroundings, of which much more
# is seen, is rather part of the object.
UNSEEN_AWAY, UNSEEN_OBJECT = 0.02, 0.15
# Most that one pixel can say, as a logarithm of odds.
MOST_EVIDENCE = 3.0
SMOOTHING_PIXELS = 0.8
# Share of the surroundings that is described by each photograph alone.
OWN_SHARE = 0.5
# Share of the surroundings in shadow: for single pixels, and for an outline.
ODDS_SHADOW_SHARE, MODEL_SHADOW_SHARE = 0.25, 0.12
# What a shadow leaves of the light, and how far the rest has the tint of the object.
SHADOW_LIGHT, SHADOW_TINT = (0.4, 0.9), (0.0, 0.4)
# Colors that describe one photograph and all of them, in a mixture.
SAMPLES_PER_MODEL = 5000
SAMPLES_PER_PHOTOGRAPH = 600


class ColorEvidence:
    """The colors of all photographs, for repeated questions with better knowledge.

    Args:
        photographs: at the working size.
    """

    def __init__(self, photographs: Sequence[Photograph]) -> None:
        self._photographs = photographs
        self._bins = [_binned(photograph.colors) for photograph in photographs]

    def odds(self, weights: Sequence[Floats32]) -> list[Floats32]:
        """The evidence of every pixel for the object: a smoothed logarithm of odds.

        Args:
            weights: of each photograph [height, width]: 1 where it shows the object, 0 where it
                shows surroundings, NaN where that is not known.

        Returns:
            [height, width] for each, within MOST_EVIDENCE of 0.
        """
        objects = [_counts(bins[weight == 1]) for bins, weight in self._pairs(weights)]
        away = [_counts(bins[weight == 0]) for bins, weight in self._pairs(weights)]
        inside = _density(np.sum(objects, axis=0), UNSEEN_OBJECT)
        around = _density(np.sum(away, axis=0))
        samples = ColorSamples(self._photographs, weights)
        shadows = _density(_counts(_binned(samples.shadows(SAMPLES_PER_MODEL)[None])))
        evidence = []
        for bins, own in zip(self._bins, away, strict=True):
            background = (1.0 - OWN_SHARE) * around + OWN_SHARE * _density(own)
            background = (1.0 - ODDS_SHADOW_SHARE) * background + ODDS_SHADOW_SHARE * shadows
            odds = np.log(inside / background).clip(-MOST_EVIDENCE, MOST_EVIDENCE)
            evidence.append(ndimage.gaussian_filter(odds[bins], SMOOTHING_PIXELS))
        return evidence

    def repeated(self, weights: Sequence[Floats32]) -> float:
        """How well the colors of the other photographs tell what one shows, averaged.

        Args:
            weights: as in `odds`.

        Returns:
            The mean of two fractions: of the pixels that are known as the object and resemble it in
            other photographs, and likewise of the surroundings. Chance gives 0.5.
        """
        objects = [_counts(bins[weight == 1]) for bins, weight in self._pairs(weights)]
        away = [_counts(bins[weight == 0]) for bins, weight in self._pairs(weights)]
        all_objects, all_away = np.sum(objects, axis=0), np.sum(away, axis=0)
        right = []
        for own, own_away in zip(objects, away, strict=True):
            inside, around = _density(all_objects - own), _density(all_away - own_away)
            for counts, hits in ((own, inside > around), (own_away, around > inside)):
                right.append(float(counts[hits].sum() / max(counts.sum(), 1.0)))
        return float(np.mean(right))

    def _pairs(self, weights: Sequence[Floats32]) -> zip[tuple[Bins, Floats32]]:
        return zip(self._bins, weights, strict=True)


class ColorSamples:
    """Random colors of the object and of its surroundings.

    Args:
        photographs: at any size.
        weights: as in `ColorEvidence.odds`.

    Raises:
        EmptyMask: if nothing is known as the object, or nothing as surroundings.
    """

    def __init__(self, photographs: Sequence[Photograph], weights: Sequence[Floats32]) -> None:
        self._random = np.random.default_rng(0)
        pairs = list(zip(photographs, weights, strict=True))
        self._object = [self._some(each.colors[weight == 1]) for each, weight in pairs]
        self._away = [self._some(each.colors[weight == 0]) for each, weight in pairs]
        self._all_object = np.concatenate(self._object)
        self._all_away = np.concatenate(self._away)
        if not len(self._all_object) or not len(self._all_away):
            raise no_object()

    def shadows(self, count: int) -> Bytes:
        """Colors [count, 3] of the surroundings in shadow."""
        base = self._some(self._all_away, count).astype(np.float64)
        mean = self._all_object.mean(axis=0) if len(self._all_object) else np.ones(3)
        tint = mean / max(float(mean.mean()), 1.0)
        light = self._random.uniform(*SHADOW_LIGHT, (len(base), 1))
        share = self._random.uniform(*SHADOW_TINT, (len(base), 1))
        shaded = base * light * ((1.0 - share) + share * tint)
        return shaded.clip(0, 255).astype(np.uint8)

    def models(self, index: int) -> tuple[Floats, Floats]:
        """Models of the surroundings and of the object in one photograph, for GrabCut."""
        quarter = SAMPLES_PER_MODEL // 4
        shadows = self.shadows(round(MODEL_SHADOW_SHARE * SAMPLES_PER_MODEL))
        away = [self._some(self._away[index], 2 * quarter), self._some(self._all_away, quarter)]
        own = [self._some(part, 2 * quarter) for part in (self._object[index], self._all_object)]
        return fit_color_model(np.concatenate([*away, shadows])), fit_color_model(
            np.concatenate(own)
        )

    def _some(self, colors: Bytes, count: int = SAMPLES_PER_PHOTOGRAPH) -> Bytes:
        """Randomly chosen colors, some of them repeatedly; none of none."""
        if len(colors) == 0:
            return np.zeros((0, 3), np.uint8)
        return colors[self._random.integers(0, len(colors), count)]


def _binned(colors: Bytes) -> Bins:
    """The bin [...] of every color [height, width, 3]."""
    cv2: Any = PHOTOS.load("cv2")
    lab = cv2.cvtColor(colors.astype(np.float32) / np.float32(255), cv2.COLOR_RGB2LAB)
    light = (lab[..., 0] * (LIGHTNESS_BINS / 100.0)).clip(0, LIGHTNESS_BINS - 1)
    # The square root gives more bins to the dull colors that most photographs consist of.
    chroma = np.sign(lab[..., 1:]) * np.sqrt(np.abs(lab[..., 1:]) / COLOR_RANGE)
    hue = ((chroma + 1.0) * (COLOR_BINS / 2)).clip(0, COLOR_BINS - 1).astype(np.int32)
    bins: Bins = (light.astype(np.int32) * COLOR_BINS + hue[..., 0]) * COLOR_BINS + hue[..., 1]
    return bins


def _counts(bins: Bins) -> Floats32:
    """A histogram [bins]."""
    size = LIGHTNESS_BINS * COLOR_BINS * COLOR_BINS
    return np.bincount(bins.ravel(), minlength=size).astype(np.float32)


def _density(counts: Floats32, unseen: float = UNSEEN_AWAY) -> Floats32:
    """A smoothed histogram [bins] of sum 1."""
    shape = (LIGHTNESS_BINS, COLOR_BINS, COLOR_BINS)
    smooth = ndimage.gaussian_filter(counts.reshape(shape), SMOOTHING_BINS).ravel()
    total = max(float(smooth.sum()), 1e-6)
    density: Floats32 = (1.0 - unseen) * smooth / total + unseen / smooth.size
    return density.astype(np.float32)
