"""Decide by a few overlays where that is enough: what to look at, when to stop, and the score.

An input's overlays are looked at in a fixed order, and after 4, 6, 8, 12, … of them the mean of
all N entropies is foretold from the mean so far. Bands around the foretold value, learnt on clean
images, say how far off it may be: an input is flagged once the upper end lies below the threshold,
and passed once the lower end does not. At the last look the band has no width.

An input that is flagged at one threshold is flagged at every higher one. So the whole procedure
has a score S(x), the threshold above which x is flagged,

    S(x) = min over looks j of max(upper_j(x), lower_1(x), …, lower_(j-1)(x)),

which does not depend on the threshold. Any calibration of S is one of the whole procedure; in
particular the promise of split conformal holds as if all overlays were looked at. Where an input
stays within all bands, S is the mean of all its entropies.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

FIRST_LOOK = 4
# Fewer images say too little about how far the foretold mean may be off.
FEWEST_IMAGES = 50
# Bands that n images need are made wider by this over n: the fewer, the less they have shown.
MARGIN_IMAGES = 50
# Images with the lowest means: among them lies the threshold.
LOW_SHARE = 1 / 3


@dataclass(frozen=True, kw_only=True)
class Stages:
    """When an input is looked at, and how surely the mean entropy is known then.

    Args:
        looks: How many overlays were looked at, rising, shape (L,); the last is N.
        factor: The foretold mean is this times the mean so far, shape (L,).
        below: Bits by which the mean of all may lie below the foretold one, shape (L,).
        above: Bits by which it may lie above it, shape (L,).
    """

    looks: NDArray[np.int64]
    factor: NDArray[np.float64]
    below: NDArray[np.float64]
    above: NDArray[np.float64]

    def bands(self, entropies: Floats) -> tuple[Floats, Floats]:
        """Return the lower and the upper ends of the bands, each of shape (n, L).

        Args:
            entropies: Of mixes, shape (n, N), in the order in which they are looked at; NaN for
                an overlay that does not count.
        """
        counted = ~np.isnan(entropies)
        sums = np.cumsum(np.where(counted, entropies, 0.0), axis=1)[:, self.looks - 1]
        numbers = np.cumsum(counted, axis=1)[:, self.looks - 1]
        return self.band(sums, numbers, np.arange(len(self.looks)))

    def band(self, sums: Floats, numbers: NDArray[np.int64], look: Any) -> tuple[Floats, Floats]:
        """Return the ends of the band at one look, or at several.

        Args:
            sums: Of the entropies so far.
            numbers: How many they are; where there are none, nothing is known.
            look: Number of the look, from 0 on.
        """
        known = numbers > 0
        foretold = self.factor[look] * sums / np.where(known, numbers, 1)
        lower = np.where(known, foretold - self.below[look], -np.inf)
        return lower, np.where(known, foretold + self.above[look], np.inf)


class Watch:
    """What is known of some inputs after each look, as long as they are undecided.

    Args:
        count: Number of inputs.
        stages: When to look.
        threshold: A score below it is flagged.
    """

    def __init__(self, count: int, stages: Stages, threshold: float) -> None:
        self.rows = np.arange(count)  # which inputs are undecided
        self.flagged = np.zeros(count, dtype=bool)
        self.foretold = np.zeros(count)
        self.looked = np.zeros(count, dtype=np.int64)
        # The score is this or less: the smallest that the looks so far allow.
        self.at_most = np.full(count, np.inf)
        self._highest = np.full(count, -np.inf)
        self._sums = np.zeros(count)
        self._numbers = np.zeros(count, dtype=np.int64)
        self._stages, self._threshold, self._look = stages, threshold, 0

    def look(self, entropies: Floats) -> NDArray[np.int64]:
        """Take in the entropies of the next look; return which of `rows` stay undecided.

        Args:
            entropies: Of the overlays that are new, shape (len(rows), new); NaN counts not.
        """
        rows, counted = self.rows, ~np.isnan(entropies)
        # One after the other, so that the sum is to the last digit that of one look at all.
        so_far = np.c_[self._sums[rows], np.where(counted, entropies, 0.0)]
        self._sums[rows] = np.cumsum(so_far, axis=1)[:, -1]
        self._numbers[rows] += counted.sum(axis=1)
        lower, upper = self._stages.band(self._sums[rows], self._numbers[rows], self._look)
        self.foretold[rows] = upper - self._stages.above[self._look]
        self.looked[rows] = self._stages.looks[self._look]
        self.at_most[rows] = np.minimum(self.at_most[rows], np.maximum(upper, self._highest[rows]))
        self._highest[rows] = np.maximum(self._highest[rows], lower)
        self.flagged[rows] = upper < self._threshold
        left = np.flatnonzero((upper >= self._threshold) & (lower < self._threshold))
        self.rows = rows[left]
        self._look += 1
        return left


def scores(lower: Floats, upper: Floats) -> NDArray[np.float64]:
    """Return the score of every input, shape (n,).

    Args:
        lower: Lower ends of the bands, shape (n, L).
        upper: Upper ends, likewise.
    """
    highest = np.maximum.accumulate(lower, axis=1)
    before = np.concatenate([np.full((len(lower), 1), -np.inf), highest[:, :-1]], axis=1)
    return np.asarray(np.maximum(upper, before).min(axis=1), dtype=np.float64)


def deciding_look(lower: Floats, upper: Floats, threshold: float) -> NDArray[np.int64]:
    """Return the number of the look at which each input is decided, shape (n,).

    Args:
        lower: Lower ends of the bands, shape (n, L).
        upper: Upper ends, likewise.
        threshold: A score below it is flagged.
    """
    return np.asarray(np.argmax((upper < threshold) | (lower >= threshold), axis=1))


def all_at_once(overlays: int) -> Stages:
    """Return the procedure that decides only when it has looked at all overlays."""
    one, none = np.ones(1), np.zeros(1)
    return Stages(looks=np.array([overlays]), factor=one, below=none, above=none)


def can_be_learnt(images: int, overlays: int) -> bool:
    """Return whether so many clean images, with so many overlays, tell when to stop."""
    return images >= FEWEST_IMAGES and overlays >= 2 * FIRST_LOOK


def learnt(entropies: Floats) -> tuple[NDArray[np.int64], Stages]:
    """Return the most telling order of the overlays, and bands, from clean images.

    Args:
        entropies: Of their mixes, shape (n, N); NaN for an overlay that does not count.

    Returns:
        Numbers of the overlays, shape (N,), and the stages. With fewer than 50 images, or 8
        overlays, the order is as it was and all overlays are looked at.
    """
    count = entropies.shape[1]
    if not can_be_learnt(len(entropies), count):
        return np.arange(count), all_at_once(count)
    filled = np.where(np.isnan(entropies), np.nanmean(entropies, axis=1)[:, None], entropies)
    means = filled.mean(axis=1)
    # Only an image with a low mean can be passed wrongly.
    low = means <= np.quantile(means, LOW_SHARE)
    order = most_telling(filled[low])
    return order, _bands(filled[:, order], means, low)


def most_telling(entropies: Floats) -> NDArray[np.int64]:
    """Return the order in which the mean so far tells most about the mean of all.

    Greedy: each next overlay is the one with which the sum so far correlates best.

    Args:
        entropies: Shape (n, N).
    """
    centred = entropies - entropies.mean(axis=0)
    products = centred.T @ centred
    with_all, alone = products.sum(axis=1), np.diag(products)
    order: list[int] = []
    left = np.ones(len(alone), dtype=bool)
    for _ in alone:
        shared = with_all[order].sum() + with_all
        size = products[np.ix_(order, order)].sum() + 2 * products[order].sum(axis=0) + alone
        strength = np.where(left, shared**2 / np.maximum(size, np.finfo(float).tiny), -1.0)
        order.append(int(np.argmax(strength)))
        left[order[-1]] = False
    return np.array(order)


def _bands(entropies: Floats, means: Floats, low: NDArray[np.bool_]) -> Stages:
    """Return bands that hold all images, and a little more.

    Args:
        entropies: In the order in which they are looked at, shape (n, N).
        means: Of all overlays, shape (n,).
        low: Which images have low means: only these may be passed wrongly.
    """
    looks = _looks(entropies.shape[1])
    so_far = np.cumsum(entropies, axis=1)[:, looks - 1] / looks
    averages = so_far.mean(axis=0)
    factor = np.where(averages > 0, means.mean() / np.where(averages > 0, averages, 1), 1.0)
    off = factor * so_far - means[:, None]
    margin = 1 + MARGIN_IMAGES / len(entropies)
    below = margin * np.maximum(off[low].max(axis=0), 0)
    above = margin * np.maximum(-off.min(axis=0), 0)
    factor[-1], below[-1], above[-1] = 1, 0, 0
    return Stages(looks=looks, factor=factor, below=below, above=above)


def _looks(overlays: int) -> NDArray[np.int64]:
    """Return 4, 6, 8, 12, 16, 24, … and the number of overlays; the last step is no small one."""
    doubled = (start * FIRST_LOOK * 2**power for power in range(32) for start in (1, 1.5))
    early = takewhile(lambda look: look < 0.75 * overlays, doubled)
    return np.array([*early, overlays], dtype=np.int64)
