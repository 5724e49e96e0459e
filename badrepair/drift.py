"""Notice when a guard flags more of a stream than it flags of clean images.

A Bernoulli CUSUM: Page, "Continuous inspection schemes", Biometrika 41, 1954; for single images
instead of samples, Reynolds and Stoumbos, "A CUSUM chart for monitoring a proportion when
inspecting continuously", Journal of Quality Technology 31, 1999. With p0 the largest share of
clean images that the guard may flag, and p1 a share that is worth an alarm, each image adds its
log-likelihood ratio,

    S_t = max(0, S_(t-1) + log P1(x_t) / P0(x_t)),

and S >= h is the alarm. It began where S last left 0, which is the most likely row.

p1 has three times the odds of p0: to tell less apart takes longer than most streams are, and what
calibration alone can be off by is in p0 already. The odds make the ratio of a flagged image log 3
larger than that of a passed one, and p1 a share for every p0.

h is log 100,000. By Lorden, "Procedures for reacting to a change in distribution", Annals of
Mathematical Statistics 42, 1971, a false alarm then comes once in exp(h) = 100,000 images or more
on average; at p0 = 1 % it is once in 16 million, and a share of 3 % is noticed after about 830.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from scipy.stats import beta

ODDS = 3.0
IMAGES_A_FALSE_ALARM = 100_000
CONFIDENCE = 0.95


@dataclass(frozen=True, kw_only=True)
class Drift:
    """A part of a stream of which the guard flags too much.

    Args:
        since: Row with which it began.
        until: Last row of it so far.
        images: Number of images of it.
        flagged: How many of these were flagged.
        expected: Largest share of clean images that the guard flags, in (0, 1].
        over: Whether the stream has come back since.
    """

    since: int
    until: int
    images: int
    flagged: int
    expected: float
    over: bool = False

    @property
    def sentence(self) -> str:
        """Return what was seen and what it may mean, in one line."""
        when, verb = f"since row {self.since:,}", "flags"
        if self.over:
            when, verb = f"from row {self.since:,} to row {self.until:,}", "flagged"
        return (
            f"{when} the guard {verb} {_percent(self.flagged / self.images)} of the stream, against"
            f" at most {_percent(self.expected)} of clean images: poisoned inputs, or images of"
            " another kind than the calibration; calibrate again if they are clean"
        )


class DriftMonitor:
    """Watches which images of a stream are flagged; the same rows bring it to the same state.

    Args:
        expected: Largest share of clean images that the guard may flag, in (0, 1]: p0.
        images_a_false_alarm: Least number of clean images, on average, until a false alarm.
    """

    def __init__(
        self, expected: float, *, images_a_false_alarm: float = IMAGES_A_FALSE_ALARM
    ) -> None:
        self.expected = expected
        self._limit = math.log(images_a_false_alarm)
        rise = math.log1p((ODDS - 1) * expected)
        self._steps = (-rise, math.log(ODDS) - rise)
        self._sum = self._highest = 0.0
        self._since = self._images = self._flagged = 0
        self._drift: Drift | None = None

    @property
    def drift(self) -> Drift | None:
        """Return the first drift of the stream, None if there was none so far."""
        return self._drift

    def see(self, row: int, flagged: bool) -> bool:
        """Take in the next image; return whether it raises the alarm, which happens once.

        Args:
            row: Its number in the stream.
            flagged: Whether the guard flagged it.
        """
        if self._drift is not None and self._drift.over:
            return False
        if self._sum == 0:
            self._since, self._images, self._flagged = row, 0, 0
        self._images += 1
        self._flagged += flagged
        self._sum = max(0.0, self._sum + self._steps[flagged])
        if self._drift is None:
            return self._alarmed(row)
        if self._sum >= self._highest:
            self._note(row)
        elif self._sum <= max(0.0, self._highest - self._limit):
            self._drift = replace(self._drift, over=True)
        return False

    def _alarmed(self, row: int) -> bool:
        if self._sum < self._limit:
            return False
        self._note(row)
        return True

    def _note(self, row: int) -> None:
        """Keep how far the drift reaches: to where the evidence for it is strongest."""
        self._highest = self._sum
        self._drift = Drift(
            since=self._since,
            until=row,
            images=self._images,
            flagged=self._flagged,
            expected=self.expected,
        )


def largest_clean_share(calibrated_on: int, below: int, promised: float) -> float:
    """Return the share of clean images that a threshold flags at most, with 95 % confidence.

    Args:
        calibrated_on: Number n of calibration scores.
        below: How many of them lie below the threshold. The share of all clean images that do is
            Beta(below + 1, n - below) if the threshold is one of the scores, as a conformal one is.
        promised: Share of clean inputs that may be flagged, in (0, 1): no less is returned.
    """
    if below >= calibrated_on:
        return 1.0
    return max(promised, float(beta.ppf(CONFIDENCE, below + 1, calibrated_on - below)))


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
