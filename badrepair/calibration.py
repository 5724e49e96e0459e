"""How a threshold follows from the scores of clean images. Low is suspicious.

An input is flagged if its score is below the threshold. The scores that calibrate are those of
clean images that nothing else was chosen on, and a false rejection is a clean input flagged.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.stats import betabinom, binom, norm

from badrepair.errors import DataError, OptionError

if TYPE_CHECKING:
    from collections.abc import Callable

Kind = Literal["conformal", "pac", "normal", "empirical"]
KINDS: tuple[Kind, ...] = get_args(Kind)
CONFIDENCE = 0.95
# Ratios of decimal fractions come out a little beside the whole number that they are.
DIGITS = 9
SLACK = 1e-7

Floats = NDArray[np.floating[Any]]


def threshold(
    kind: Kind, scores: Floats, false_rejection_rate: float, *, confidence: float = CONFIDENCE
) -> float:
    """Return the score below which an input is flagged.

    - conformal: a new clean input is flagged with probability <= the rate, averaged over
      calibration sets and inputs, for any distribution;
    - pac: with the given confidence in the calibration set, this very threshold flags no more
      than the rate of all clean inputs;
    - normal: the quantile of a normal fit, as in the STRIP notebook. It promises nothing: the
      quantile of a bounded and skewed score can lie below all of them, or far inside;
    - empirical: the plain quantile. It promises nothing either.

    Args:
        kind: How.
        scores: Of clean images, shape (n,).
        false_rejection_rate: Share of clean inputs that we agree to flag, in (0, 1).
        confidence: Of pac only, in (0, 1).

    Raises:
        DataError: TooFewImages, with the number that is needed.
    """
    least = needed(kind, false_rejection_rate, confidence)
    if len(scores) < least:
        raise _too_few(kind, len(scores), least, false_rejection_rate, confidence)
    return _RULES[kind](scores, false_rejection_rate, confidence)


def needed(kind: Kind, false_rejection_rate: float, confidence: float = CONFIDENCE) -> int:
    """Return how many calibration scores there must be at least.

    For pac it is the smallest n with (1 - rate)^n <= 1 - confidence; a normal fit has a deviation
    from two scores on, and a plain quantile takes one, which does not make it a good one.
    """
    for name, share in (("rate", false_rejection_rate), ("confidence", confidence)):
        if not 0 < share < 1:
            raise ValueError(f"expected a {name} in (0, 1), found {share}")
    if kind == "conformal":
        return max(1, _whole_above(1 / false_rejection_rate - 1))
    if kind == "pac":
        return _whole_above(math.log(1 - confidence) / math.log1p(-false_rejection_rate))
    return 2 if kind == "normal" else 1


def p_values(calibration: Floats, scores: Floats) -> NDArray[np.float64]:
    """Return the conformal p-value of each score, (1 + #{calibration <= score}) / (n + 1).

    Of a new clean input it is <= a with probability <= a, for every a. A score lies below the
    conformal threshold of a rate if and only if its p-value is at most that rate, ties included.

    Args:
        calibration: Scores of clean images, shape (n,).
        scores: Any shape.
    """
    below = np.searchsorted(np.sort(calibration), scores, side="right")
    return np.asarray((1 + below) / (len(calibration) + 1), dtype=np.float64)


def excess_chance(
    calibrated_on: int, false_rejection_rate: float, tested: int, flagged: int
) -> float:
    """Return how often so many clean test images, or more, fall below a conformal threshold.

    That is if they are of one kind with those that calibrated, and no scores are tied: then the
    share of all clean inputs below it is Beta(k, n + 1 - k) with k = floor((n + 1) * rate).

    Args:
        calibrated_on: Number n of calibration images.
        false_rejection_rate: What the threshold was made for, in (0, 1).
        tested: Number of test images.
        flagged: How many of these were flagged.
    """
    ranks = calibrated_on + 1 - _kept(calibrated_on, false_rejection_rate)
    return float(betabinom.sf(flagged - 1, tested, ranks, calibrated_on + 1 - ranks))


def check_options(*, calibration: str, frr: float, confidence: float) -> None:
    """Refuse what no threshold can be made for.

    Raises:
        OptionError: OptionInvalid, with the name of the option.
    """
    expected = {
        "--frr": (0 < frr < 1, "in (0, 1)", frr),
        "--calibration": (calibration in KINDS, f"out of {', '.join(KINDS)}", calibration),
        "--confidence": (0 < confidence < 1, "in (0, 1)", confidence),
    }
    for option, (holds, meaning, found) in expected.items():
        if not holds:
            problem = f"expected a value {meaning}, found {found}"
            raise OptionError("OptionInvalid", option, problem)


def _kept(n: int, rate: float) -> int:
    """Return how many of n calibration scores must not lie below the conformal threshold."""
    return max(1, _whole_above((n + 1) * (1 - rate)))


def _conformal(scores: Floats, rate: float, confidence: float) -> float:
    n = len(scores)
    return float(np.sort(scores)[n - _kept(n, rate)])


def _pac(scores: Floats, rate: float, confidence: float) -> float:
    """Return the score that r others lie below, with the largest r that the promise allows.

    That is, P(Binomial(n, rate) <= r) is at most 1 - confidence.
    """
    n, doubt = len(scores), (1 - confidence) * (1 + SLACK)
    below = np.flatnonzero(binom.cdf(np.arange(n), n, rate) <= doubt)
    return float(np.sort(scores)[below[-1]])


def _normal(scores: Floats, rate: float, confidence: float) -> float:
    return float(np.mean(scores) + norm.ppf(rate) * np.std(scores))


def _empirical(scores: Floats, rate: float, confidence: float) -> float:
    return float(np.quantile(scores, rate))


_RULES: dict[Kind, Callable[[Floats, float, float], float]] = {
    "conformal": _conformal,
    "pac": _pac,
    "normal": _normal,
    "empirical": _empirical,
}


def _whole_above(number: float) -> int:
    return math.ceil(round(number, DIGITS))


def _too_few(kind: Kind, n: int, least: int, rate: float, confidence: float) -> DataError:
    promise = f"a false rejection rate of {rate:.2%}"
    if kind == "pac":
        promise += f" at {100 * confidence:g}% confidence"
    return DataError(
        "TooFewImages",
        "calibration",
        f"{promise} needs {least} clean calibration images, there are {n}",
        "give more clean images, or a larger --frr",
    )
