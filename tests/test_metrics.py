"""Numbers that can be worked out on paper come out as on paper."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy import array

from badrepair import metrics
from badrepair.errors import DataError
from badrepair.types import Dataset


def flags(true, n):
    """Return n flags of which the first `true` are set."""
    return np.arange(n) < true


def poisoned(labels, true_labels=None):
    images = np.zeros((len(labels), 1, 1, 1))
    true = None if true_labels is None else array(true_labels)
    return Dataset(images=images, labels=array(labels), true_labels=true, name="patch")


def test_strip_12_a_rate_carries_its_wilson_interval():
    # z = 1.959964, z^2 = 3.841459: centre (.8 + z^2/20) / (1 + z^2/10) = .992073 / 1.384146,
    # half width z * sqrt(.8 * .2 / 10 + z^2/400) / 1.384146 = .313618 / 1.384146.
    found = metrics.rate(flags(8, 10))
    assert (found.value, found.n) == (0.8, 10)
    assert found.low == pytest.approx(0.7167403 - 0.2265776, abs=1e-6)
    assert found.high == pytest.approx(0.7167403 + 0.2265776, abs=1e-6)


def test_the_interval_of_none_out_of_ten_is_not_a_point():
    # Wilson at 0 / n: from 0 to z^2 / (n + z^2) = 3.841459 / 13.841459.
    found = metrics.rate(flags(0, 10))
    assert (found.value, found.low) == (0, 0)
    assert found.high == pytest.approx(0.2775328, abs=1e-6)


def test_nothing_measured_is_no_rate_rather_than_zero():
    assert metrics.rate(flags(0, 0)) is None
    empty = np.empty(0, np.int64)
    assert metrics.clean_row(empty, empty, 3, rejects=False) is None
    assert metrics.attack_row(empty, poisoned([], []), 3, rejects=False) is None
    assert metrics.detection_row("patch", array([1.0]), empty, 0.5, flags(0, 0)) is None


def test_strip_9_a_clean_image_answered_n_is_wrong():
    # N = 3. Two right, one answered 0 instead of 1, one answered N.
    row = metrics.clean_row(array([0, 1, 0, 3]), array([0, 1, 1, 2]), 3, rejects=True)
    assert row.accuracy.value == 0.5
    assert row.false_rejection_rate.value == 0.25
    assert row.false_rejection_rate.n == 4


def test_a_model_that_cannot_reject_has_no_rejection_rates():
    row = metrics.clean_row(array([0, 1]), array([0, 1]), 3, rejects=False)
    assert row.false_rejection_rate is None
    attack = metrics.attack_row(array([0, 1]), poisoned([0, 0]), 3, rejects=False)
    assert attack.detection_rate is None


def test_strip_9_abstaining_is_the_class_n_and_never_the_target_zero():
    # Five images, target 0, N = 3: two fooled, two abstained, one answered truthfully.
    data = poisoned([0] * 5, [1, 2, 1, 2, 1])
    row = metrics.attack_row(array([0, 0, 3, 3, 1]), data, 3, rejects=True)
    assert row.attack_success_rate.value == 0.4
    assert row.detection_rate.value == 0.4
    assert row.recovered_accuracy.value == 0.2


def test_recovery_is_not_measured_where_true_labels_are_unknown():
    row = metrics.attack_row(array([0, 1]), poisoned([0, 0]), 3, rejects=False)
    assert row.recovered_accuracy is None


def test_images_that_show_the_target_anyway_do_not_count():
    data = metrics.counting(poisoned([0, 0, 0, 2], [0, 1, 2, 2]))
    assert data.true_labels.tolist() == [1, 2]
    assert data.labels.tolist() == [0, 0]
    assert len(data.images) == 2


def test_all_images_count_where_true_labels_are_unknown():
    assert len(metrics.counting(poisoned([0, 0, 2]))) == 3


@pytest.mark.parametrize(
    ("accuracies", "successes", "expected"),
    [
        ((0.98, 0.95), (1.0, 0.1), 0.935),  # (.9 - .03 + 1) / 2
        ((0.98, 0.98), (1.0, 0.0), 1.0),
        ((0.98, 0.98), (1.0, 1.0), 0.5),
        ((0.90, 0.95), (1.0, 0.5), 0.75),  # more accuracy earns nothing
        ((0.98, 0.48), (0.2, 0.6), 0.25),  # more attack success costs nothing
    ],
)
def test_der_by_hand(accuracies, successes, expected):
    assert metrics.defense_effectiveness(*accuracies, *successes) == pytest.approx(expected)


def test_strip_1_entropy_is_taken_over_classes_for_each_sample():
    # Over the samples the columns would give other numbers, and two of them.
    answers = array([[0.5, 0.5], [1.0, 0.0], [0.75, 0.25]])
    quarter = 0.75 * math.log2(4 / 3) + 0.25 * 2
    assert metrics.entropy_bits(answers) == pytest.approx([1, 0, quarter])


def test_strip_1_a_perfect_trojan_has_zero_entropy_and_not_nan():
    # Warnings are errors here: 0 * log2(0) must not be computed.
    assert metrics.entropy_bits(np.eye(4)).tolist() == [0, 0, 0, 0]


def test_entropy_of_n_equal_answers_is_log2_of_n():
    assert metrics.entropy_bits(np.full((2, 3, 8), 1 / 8)) == pytest.approx(np.full((2, 3), 3))


def test_conformal_of_99_at_one_percent_flags_only_what_lies_below_the_smallest():
    scores = np.random.default_rng(0).permutation(np.arange(1.0, 100))
    assert metrics.conformal_threshold(scores, 0.01) == 1.0


def test_conformal_of_199_at_five_percent_lets_nine_lie_below():
    # ceil(200 * .95) = 190 are kept of 1..199, so 9 lie below the threshold.
    assert metrics.conformal_threshold(np.arange(1.0, 200), 0.05) == 10.0


def test_conformal_flags_no_tied_score():
    scores = array([0.0] * 50 + [1.0] * 149)
    assert np.sum(scores < metrics.conformal_threshold(scores, 0.05)) == 0


def test_conformal_of_98_at_one_percent_names_the_99_that_it_needs():
    with pytest.raises(DataError, match=r"needs 99 clean calibration images, there are 98") as info:
        metrics.conformal_threshold(np.arange(98.0), 0.01)
    assert info.value.code == "TooFewImages"


@pytest.mark.parametrize(("rate", "needed"), [(0.1, 9), (0.05, 19), (0.001, 999), (0.3, 3)])
def test_the_number_that_the_error_names_is_enough(rate, needed):
    with pytest.raises(DataError, match=f"needs {needed} clean"):
        metrics.conformal_threshold(np.arange(float(needed - 1)), rate)
    assert metrics.conformal_threshold(np.arange(float(needed)), rate) == 0


def test_normal_is_the_quantile_of_the_fit():
    # Mean 3 and (population) deviation 1; the 5 % quantile of a normal lies 1.644854 below.
    found = metrics.normal_threshold(array([2.0, 4.0] * 10), 0.05)
    assert found == pytest.approx(3 - 1.644854, abs=1e-6)


def test_strip_10_a_normal_fit_of_a_skewed_statistic_flags_nothing():
    # Mean .3 and deviation .2: the 1 % quantile is .3 - 2.326348 * .2 = -.165.
    scores = array([0.1, 0.5] * 100)
    found = metrics.normal_threshold(scores, 0.01)
    assert found == pytest.approx(-0.1652696, abs=1e-6)
    assert metrics.conformal_threshold(scores, 0.01) == 0.1


def test_empirical_is_the_plain_quantile():
    assert metrics.empirical_threshold(np.arange(101.0), 0.05) == pytest.approx(5)


def mean_false_rejections(threshold, pool, rate, splits=300):
    """Return the share of left-out scores flagged, averaged over random splits of the pool."""
    random = np.random.default_rng(0)
    shares = []
    for _ in range(splits):
        shuffled = random.permutation(pool)
        shares.append(np.mean(shuffled[199:] < threshold(shuffled[:199], rate)))
    return float(np.mean(shares))


def test_strip_10_conformal_keeps_its_promise_where_a_normal_fit_does_not():
    # A long lower tail, 1 - Exp(1): the normal quantile at 1 % is about -2.33, and
    # P(1 - E < -2.33) = exp(-3.33) = 3.6 %, three and a half times what was promised.
    pool = 1 - np.random.default_rng(1).exponential(size=4000)
    kept = mean_false_rejections(metrics.conformal_threshold, pool, 0.01)
    # (n + 1) * rate = 2 ranks of 200: the promise is met exactly on average.
    assert kept == pytest.approx(0.01, abs=0.0015)
    assert mean_false_rejections(metrics.normal_threshold, pool, 0.01) > 0.03


def test_strip_10_conformal_uses_what_it_may_where_a_normal_fit_never_flags():
    # A long upper tail, Exp(1): the normal quantile at 5 % is 1 - 1.64 < 0.
    pool = np.random.default_rng(2).exponential(size=4000)
    kept = mean_false_rejections(metrics.conformal_threshold, pool, 0.05)
    assert kept == pytest.approx(0.05, abs=0.004)
    assert mean_false_rejections(metrics.normal_threshold, pool, 0.05) == 0


def test_strip_2_low_scores_of_poisoned_images_make_an_auroc_of_one():
    assert metrics.auroc(array([3.0, 4.0]), array([1.0, 2.0])) == 1
    assert metrics.auroc(array([1.0, 2.0]), array([3.0, 4.0])) == 0


def test_auroc_counts_a_tie_as_half():
    # 0 lies below 1, 2, 3; 2 lies below 3 and ties with 2: 4.5 of 6 pairs.
    assert metrics.auroc(array([1.0, 2.0, 3.0]), array([0.0, 2.0])) == pytest.approx(0.75)


def test_auroc_needs_both_kinds():
    assert metrics.auroc(np.empty(0), array([1.0])) is None
    assert metrics.auroc(array([1.0]), np.empty(0)) is None


@pytest.mark.parametrize(("threshold", "accepted"), [(-math.inf, 1.0), (math.inf, 0.0)])
def test_strip_3_flagging_nothing_accepts_every_attack(threshold, accepted):
    row = metrics.detection_row(
        "patch", array([1.0, 2.0]), array([0.0, 0.5, 3.0]), threshold, flags(3, 3)
    )
    assert row.false_acceptance_rate.value == accepted
    assert row.false_acceptance_rate_of_successful.value == accepted


def test_strip_5_and_11_acceptance_of_successful_attacks_pairs_scores_with_their_images():
    # Flagged below 1: images 1, 2 and 4. Missed: 0 and 3, of which only 3 fools the model.
    # With the scores sorted first, the mask would pick .5, 2 and 2.5: two of three missed.
    scores = array([2.0, 0.1, 0.9, 2.5, 0.5])
    succeeded = array([False, True, False, True, True])
    row = metrics.detection_row("patch", array([3.0]), scores, 1.0, succeeded)
    assert row.false_acceptance_rate.value == 0.4
    assert row.false_acceptance_rate.n == 5
    assert row.false_acceptance_rate_of_successful.value == pytest.approx(1 / 3)
    assert row.false_acceptance_rate_of_successful.n == 3


def test_strip_11_no_successful_attack_leaves_its_acceptance_unmeasured():
    row = metrics.detection_row("patch", array([3.0]), array([0.1, 2.0]), 1.0, flags(0, 2))
    assert row.false_acceptance_rate.value == 0.5
    assert row.false_acceptance_rate_of_successful is None


def test_a_score_at_the_threshold_is_accepted():
    row = metrics.detection_row("patch", array([3.0]), array([1.0]), 1.0, flags(1, 1))
    assert row.false_acceptance_rate.value == 1


@pytest.mark.parametrize(("n", "allowed"), [(1000, 4), (299, 0), (473, 1), (2000, 12)])
def test_strip_10_pac_allows_so_few_exceedances_that_the_rate_is_kept_with_95_percent(n, allowed):
    """1000 -> 4 and 299 -> 0 are the reference's; below, each is the last that is small enough."""
    scores = np.random.default_rng(0).permutation(n) / n
    threshold = metrics.pac_threshold(scores, 0.01)
    assert np.sum(scores < threshold) == allowed
    chance = [math.comb(n, i) * 0.01**i * 0.99 ** (n - i) for i in range(allowed + 2)]
    assert sum(chance[: allowed + 1]) <= 0.05 < sum(chance)


def test_strip_10_pac_says_how_many_images_it_needs():
    with pytest.raises(DataError, match="needs 299 clean calibration images, there are 298"):
        metrics.pac_threshold(np.arange(298.0), 0.01)
