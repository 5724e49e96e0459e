"""Pure functions on arrays: rates with their intervals, entropy, thresholds, AUROC, DER."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr
from scipy.stats import binom, binomtest, norm
from sklearn.metrics import roc_auc_score

from badrepair.errors import DataError
from badrepair.types import AttackRow, CleanRow, DetectionRow, Rate

if TYPE_CHECKING:
    from collections.abc import Callable

    from badrepair.types import Dataset, Labels

CONFIDENCE = 0.95
Floats = NDArray[np.floating[Any]]
Flags = NDArray[np.bool_]


def rate(hits: Flags) -> Rate | None:
    """Return the share of true values with its 95 % Wilson interval; None if there are none."""
    if not len(hits):
        return None
    test = binomtest(int(np.sum(hits)), len(hits))
    interval = test.proportion_ci(0.95, method="wilson")
    return Rate(float(np.mean(hits)), len(hits), float(interval.low), float(interval.high))


def clean_row(answers: Labels, labels: Labels, classes: int, *, rejects: bool) -> CleanRow | None:
    """Return how clean images were answered; None if there are none.

    Args:
        answers: The model's classes, shape (N,); `classes` itself means "poisoned".
        labels: The true classes, shape (N,).
        classes: Number of classes of the problem.
        rejects: Whether the model has the extra output that means "poisoned".
    """
    accuracy = rate(answers == labels)
    if accuracy is None:
        return None
    rejections = rate(answers == classes) if rejects else None
    return CleanRow(accuracy=accuracy, false_rejection_rate=rejections)


def counting(poisoned: Dataset) -> Dataset:
    """Return the poisoned images that count: those that do not show the target class anyway."""
    if poisoned.true_labels is None:
        return poisoned
    return poisoned.take(np.flatnonzero(poisoned.true_labels != poisoned.labels))


def attack_row(
    answers: Labels, poisoned: Dataset, classes: int, *, rejects: bool
) -> AttackRow | None:
    """Return how poisoned images were answered; None if there are none.

    Args:
        answers: The model's classes, shape (N,); `classes` itself means "poisoned".
        poisoned: The images that count; labels are the targets, true labels may be known.
        classes: Number of classes of the problem.
        rejects: Whether the model has the extra output that means "poisoned".
    """
    success = rate(answers == poisoned.labels)
    if success is None:
        return None
    true = poisoned.true_labels
    return AttackRow(
        name=poisoned.name,
        attack_success_rate=success,
        detection_rate=rate(answers == classes) if rejects else None,
        recovered_accuracy=None if true is None else rate(answers == true),
    )


def defense_effectiveness(
    accuracy_before: float, accuracy_after: float, success_before: float, success_after: float
) -> float:
    """Return the defence effectiveness rating in [0, 1]; 0.5 is useless, 1 is perfect.

    DER = (max(0, fall of attack success) - max(0, fall of clean accuracy) + 1) / 2,
    after Zhu et al., "Enhancing Fine-Tuning Based Backdoor Defense", ICCV 2023.
    """
    gain = max(0.0, success_before - success_after)
    loss = max(0.0, accuracy_before - accuracy_after)
    return (gain - loss + 1) / 2


def entropy_bits(probabilities: Floats) -> NDArray[np.float64]:
    """Return the Shannon entropy over the last axis, in bits; 0 * log2(0) is 0."""
    terms = entr(np.asarray(probabilities, dtype=np.float64))
    return np.asarray(terms.sum(axis=-1) / math.log(2))


def conformal_threshold(scores: Floats, false_rejection_rate: float) -> float:
    """Return t such that a new clean score falls below t with probability <= the rate.

    Split conformal: of n calibration scores, n - ceil((n + 1)(1 - rate)) may lie below t. Exact
    for any distribution as long as the new score is exchangeable with the calibration scores.

    Raises:
        DataError: There are fewer than 1 / rate - 1 scores.
    """
    n = len(scores)
    # Rounding guards the ceiling against 99.00000000000001.
    kept = math.ceil(round((n + 1) * (1 - false_rejection_rate), 9))
    if kept > n or false_rejection_rate <= 0:
        needed = math.ceil(round(1 / max(false_rejection_rate, 1e-9) - 1, 6))
        raise _too_few(n, needed, f"{false_rejection_rate:.2%}")
    return float(np.sort(scores)[n - kept])


def pac_threshold(scores: Floats, false_rejection_rate: float) -> float:
    """Return t such that, with 95 % confidence, clean scores fall below t with the rate at most.

    Probably approximately correct: of n calibration scores, r may lie below t, where r is the
    largest number with P(Binomial(n, rate) <= r) <= 5 %.

    Raises:
        DataError: There are fewer than ln(5 %) / ln(1 - rate) scores.
    """
    n, doubt = len(scores), 1 - CONFIDENCE
    below = np.flatnonzero(binom.cdf(np.arange(n), n, false_rejection_rate) <= doubt)
    if not len(below):
        needed = math.ceil(math.log(doubt) / math.log1p(-false_rejection_rate))
        raise _too_few(n, needed, f"{false_rejection_rate:.2%} at {CONFIDENCE:.0%} confidence")
    return float(np.sort(scores)[below[-1]])


def normal_threshold(scores: Floats, false_rejection_rate: float) -> float:
    """Return the quantile of a normal fit, as the STRIP notebook does.

    Entropy is bounded and skewed: the quantile can be negative, and then nothing is ever flagged.
    """
    mean, deviation = norm.fit(scores)
    return float(norm.ppf(false_rejection_rate, loc=mean, scale=deviation))


def empirical_threshold(scores: Floats, false_rejection_rate: float) -> float:
    """Return the plain quantile of the calibration scores; it carries no guarantee."""
    return float(np.quantile(scores, false_rejection_rate))


def _too_few(n: int, needed: int, promise: str) -> DataError:
    return DataError(
        "TooFewImages",
        "calibration",
        f"a false rejection rate of {promise} needs {needed} clean calibration images, there"
        f" are {n}",
        "give more clean images, or a larger --frr",
    )


THRESHOLDS: dict[str, Callable[[Floats, float], float]] = {
    "conformal": conformal_threshold,
    "pac": pac_threshold,
    "normal": normal_threshold,
    "empirical": empirical_threshold,
}


def auroc(clean: Floats, poisoned: Floats) -> float | None:
    """Return the chance that a poisoned score lies below a clean one; 0.5 is guessing.

    None where one of the two is empty.
    """
    if not len(clean) or not len(poisoned):
        return None
    truth = np.r_[np.zeros(len(clean)), np.ones(len(poisoned))]
    return float(roc_auc_score(truth, -np.r_[clean, poisoned]))


def detection_row(
    name: str, clean: Floats, poisoned: Floats, threshold: float, succeeded: Flags
) -> DetectionRow | None:
    """Return how well a detector tells one poisoned set from clean images; None if it is empty.

    Args:
        name: The trigger's name.
        clean: Scores of clean images that calibrated nothing.
        poisoned: Scores of the poisoned images that count.
        threshold: A score below it is flagged.
        succeeded: For which poisoned images the attack worked on the unguarded model.
    """
    missed = poisoned >= threshold
    acceptance = rate(missed)
    if acceptance is None:
        return None
    return DetectionRow(
        name=name,
        false_acceptance_rate=acceptance,
        false_acceptance_rate_of_successful=rate(missed[succeeded]),
        auroc=auroc(clean, poisoned),
    )
