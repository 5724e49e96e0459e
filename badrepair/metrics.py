"""Pure functions on arrays: rates with their intervals, entropy, ROC and AUROC, DER."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import entr
from scipy.stats import norm
from sklearn.metrics import roc_auc_score
from sklearn.metrics import roc_curve as every_point_of_roc

from badrepair.types import AttackRow, CleanRow, DetectionRow, Estimate, Rate

if TYPE_CHECKING:
    from badrepair.types import Dataset, Labels

CONFIDENCE = 0.95
# Standard deviations from the middle of a normal distribution to the ends of the interval.
Z = float(norm.ppf((1 + CONFIDENCE) / 2))
Floats = NDArray[np.floating[Any]]
Flags = NDArray[np.bool_]


def rate(hits: Flags) -> Rate | None:
    """Return the share of true values with its 95 % Wilson interval; None if there are none."""
    if not len(hits):
        return None
    low, high = wilson(np.sum(hits), len(hits))
    return Rate(float(np.mean(hits)), len(hits), float(low), float(high))


def wilson(hits: Any, n: int) -> tuple[Any, Any]:
    """Return the ends of the 95 % interval of each share hits / n.

    Args:
        hits: A number, or an array of any shape (Any, since NumPy takes both alike).
        n: Number of cases, 1 or more.
    """
    share = np.asarray(hits) / n
    middle = share + Z**2 / (2 * n)
    reach = Z * np.sqrt(share * (1 - share) / n + (Z / (2 * n)) ** 2)
    low, high = (middle - reach) / (1 + Z**2 / n), (middle + reach) / (1 + Z**2 / n)
    # The formula gives exactly 0 and 1 there, its rounding does not.
    return np.where(share == 0, 0.0, low), np.where(share == 1, 1.0, high)


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


def auroc(clean: Floats, poisoned: Floats) -> Estimate | None:
    """Return the chance that a poisoned score lies below a clean one; 0.5 is guessing.

    The interval is method 5 of Newcombe, "Confidence intervals for an effect size measure based
    on the Mann-Whitney statistic. Part 2", Statistics in Medicine 25, 2006. It is no point where
    all poisoned scores lie below all clean ones. None where one of the two is empty.
    """
    if not len(clean) or not len(poisoned):
        return None
    area = float(roc_auc_score(_truth(clean, poisoned), -np.r_[clean, poisoned]))
    sizes = len(clean), len(poisoned)
    # The variance is the same for an area and for its complement.
    return Estimate(area, _lowest_area(area, *sizes), 1 - _lowest_area(1 - area, *sizes))


def _truth(clean: Floats, poisoned: Floats) -> NDArray[np.float64]:
    return np.concatenate([np.zeros(len(clean)), np.ones(len(poisoned))])


def _lowest_area(area: float, m: int, n: int) -> float:
    """Return the smallest true area t of which the found one lies just Z deviations off.

    Those are sqrt(t (1 - t) (1 + M (1 - t) / (2 - t) + M t / (1 + t)) / (m n)), with
    M = (m + n) / 2 - 1.
    """
    if area == 0:
        return 0.0
    other = (m + n) / 2 - 1

    def beyond(t: float) -> float:
        spread = 1 + other * (1 - t) / (2 - t) + other * t / (1 + t)
        return area - t - Z * math.sqrt(t * (1 - t) * spread / (m * n))

    # At t = 1 the deviation is 0, so that an area of 1 is a second solution, which is not meant.
    return float(brentq(beyond, 0, min(area, 1 - 1e-12)))


def roc(clean: Floats, poisoned: Floats) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the best false rejection and true positive rates, each shape (k,), rising.

    Between two points one can only keep the left one's true positive rate: it is a staircase.

    Args:
        clean: Scores of clean images, shape (m,), m >= 1.
        poisoned: Scores of poisoned images, shape (n,), n >= 1.
    """
    truth, suspicion = _truth(clean, poisoned), -np.r_[clean, poisoned]
    rejected, caught, _ = every_point_of_roc(truth, suspicion, drop_intermediate=False)
    last = np.r_[np.diff(rejected) > 0, True]
    rejected, caught = rejected[last], caught[last]
    rises = np.r_[True, np.diff(caught) > 0]
    rises[-1] = True
    return rejected[rises], caught[rises]


def true_positive_rate(clean: Floats, poisoned: Floats, false_rejection_rate: float) -> Rate | None:
    """Return the share of poisoned images that are caught at a given share of false rejections.

    The threshold is the highest that has at most that share of the clean test scores below it, so
    the interval holds for this threshold. None where clean or poisoned scores are missing.
    """
    if not len(clean):
        return None
    # Rounding guards the floor against 28.999999999999996.
    allowed = math.floor(round(false_rejection_rate * len(clean), 9))
    threshold = np.inf if allowed >= len(clean) else np.sort(clean)[allowed]
    return rate(poisoned < threshold)


def detection_row(
    name: str,
    clean: Floats,
    poisoned: Floats,
    threshold: float,
    succeeded: Flags,
    *,
    detector: str,
) -> DetectionRow | None:
    """Return how well a detector tells one poisoned set from clean images; None if it is empty.

    Args:
        name: The trigger's name.
        clean: Scores of clean images that calibrated nothing.
        poisoned: Scores of the poisoned images that count.
        threshold: A score below it is flagged.
        succeeded: For which poisoned images the attack worked on the unguarded model.
        detector: The detector's name.
    """
    missed = poisoned >= threshold
    acceptance = rate(missed)
    if acceptance is None:
        return None
    return DetectionRow(
        name=name,
        detector=detector,
        false_rejection_rate=rate(clean < threshold),
        false_acceptance_rate=acceptance,
        false_acceptance_rate_of_successful=rate(missed[succeeded]),
        true_positive_rate_at_1=true_positive_rate(clean, poisoned, 0.01),
        true_positive_rate_at_5=true_positive_rate(clean, poisoned, 0.05),
        auroc=auroc(clean, poisoned),
    )
