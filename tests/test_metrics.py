"""Numbers that can be worked out on paper come out as on paper."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy import array
from scipy.stats import binomtest, norm

from badrepair import metrics
from badrepair.types import Dataset


def flags(true, n):
    """Return n flags of which the first `true` are set."""
    return np.arange(n) < true


def detection(scores, threshold, succeeded, *, clean=None):
    """Return how scores of images with the patch are seen."""
    clean = array([3.0]) if clean is None else clean
    return metrics.detection_row("patch", clean, scores, threshold, succeeded, detector="STRIP")


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
    assert detection(np.empty(0), 0.5, flags(0, 0)) is None


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


def test_strip_2_low_scores_of_poisoned_images_make_an_auroc_of_one():
    assert metrics.auroc(array([3.0, 4.0]), array([1.0, 2.0])).value == 1
    assert metrics.auroc(array([1.0, 2.0]), array([3.0, 4.0])).value == 0


def test_auroc_counts_a_tie_as_half():
    # 0 lies below 1, 2, 3; 2 lies below 3 and ties with 2: 4.5 of 6 pairs.
    assert metrics.auroc(array([1.0, 2.0, 3.0]), array([0.0, 2.0])).value == pytest.approx(0.75)


def test_auroc_needs_both_kinds():
    assert metrics.auroc(np.empty(0), array([1.0])) is None
    assert metrics.auroc(array([1.0]), np.empty(0)) is None


def test_strip_12_the_interval_of_an_auroc_by_hand():
    # One image of each kind: M = 0, and (A - t)^2 = z^2 t (1 - t) is Wilson's interval of one
    # case. At A = 1 it starts at 1 / (1 + z^2) = 1 / 4.841459; at A = 1/2 it reaches
    # z / (2 sqrt(1 + z^2)) = 1.959964 / 4.400663 from the middle.
    found = metrics.auroc(array([1.0]), array([0.0]))
    assert (found.value, found.high) == (1, 1)
    assert found.low == pytest.approx(0.2065493, abs=1e-6)
    found = metrics.auroc(array([1.0]), array([1.0]))
    assert (found.low, found.high) == pytest.approx((0.5 - 0.4453793, 0.5 + 0.4453793), abs=1e-6)


def test_strip_12_the_interval_of_a_perfect_auroc_is_no_point():
    # At A = 1 the equation is (1 - t) m n = z^2 t (1 + M (1 - t) / (2 - t) + M t / (1 + t)). With
    # m = n = 3 and M = 2, t = 1/2 makes it 4.5 = 1.920729 * 7/3 = 4.4817, still too small a t, and
    # t = .502 makes it 4.482 = 1.928412 * 2.33333 = 4.4996, too large a one.
    found = metrics.auroc(array([4.0, 5.0, 6.0]), array([1.0, 2.0, 3.0]))
    assert 0.5 < found.low < 0.502
    assert (found.value, found.high) == (1, 1)
    mirrored = metrics.auroc(array([1.0, 2.0, 3.0]), array([4.0, 5.0, 6.0]))
    assert (mirrored.low, mirrored.high) == pytest.approx((0, 1 - found.low))


def test_strip_12_both_ends_of_the_interval_of_an_auroc_solve_newcombe_s_equation():
    random = np.random.default_rng(3)
    clean, poisoned = random.normal(size=40), random.normal(-1, size=25)
    found = metrics.auroc(clean, poisoned)
    other = (40 + 25) / 2 - 1
    for t in (found.low, found.high):
        spread = 1 + other * (1 - t) / (2 - t) + other * t / (1 + t)
        variance = t * (1 - t) * spread / (40 * 25)
        assert abs(found.value - t) == pytest.approx(1.959964 * math.sqrt(variance), abs=1e-6)
    assert found.low < found.value < found.high


@pytest.mark.parametrize(
    ("area", "m", "n", "most"), [(0.9, 60, 60, 0.975), (0.6, 100, 30, 0.975), (0.99, 40, 80, 0.99)]
)
def test_strip_12_the_interval_of_an_auroc_holds_the_true_one_in_95_of_100_samples(
    area, m, n, most
):
    # Normal scores of deviation 1, d apart, have the area Phi(d / sqrt 2). Next to 1 the interval
    # is on the safe side.
    shift = math.sqrt(2) * norm.ppf(area)
    random = np.random.default_rng(4)
    found = [
        metrics.auroc(random.normal(size=m), random.normal(-shift, size=n)) for _ in range(800)
    ]
    covered = np.mean([each.low <= area <= each.high for each in found])
    assert 0.93 <= covered <= most


@pytest.mark.parametrize(("hits", "n"), [(0, 7), (3, 7), (7, 7), (1, 2), (1, 1), (499, 500)])
def test_our_wilson_interval_is_that_of_scipy(hits, n):
    expected = binomtest(hits, n).proportion_ci(0.95, method="wilson")
    low, high = metrics.wilson(hits, n)
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    ends = metrics.wilson(array([hits, 0, n]), n)
    assert np.array(ends).tolist() == [[float(low), 0, ends[0][2]], [float(high), ends[1][1], 1]]


def test_the_roc_is_a_staircase_of_what_each_share_of_false_rejections_buys():
    # Clean 2, 4, 6, 8; poisoned 1, 3, 3, 9. Below 2 lies one of the poisoned, below 4 lie three,
    # and the last one only where all clean images are rejected.
    rejected, caught = metrics.roc(array([2.0, 8, 4, 6]), array([3.0, 1, 9, 3]))
    assert rejected.tolist() == [0, 0.25, 1]
    assert caught.tolist() == [0.25, 0.75, 1]


def test_the_roc_ends_where_everything_is_rejected_even_if_that_catches_nothing_more():
    rejected, caught = metrics.roc(array([2.0, 4.0]), array([1.0]))
    assert (rejected.tolist(), caught.tolist()) == ([0, 1], [1, 1])


def test_a_tie_in_the_roc_catches_nothing_without_a_false_rejection():
    rejected, caught = metrics.roc(array([1.0, 1, 2, 2]), array([1.0, 1, 1, 2]))
    assert rejected.tolist() == [0, 0.5, 1]
    assert caught.tolist() == [0, 0.75, 1]


@pytest.mark.parametrize(
    ("share", "caught"),
    [
        (0.009, 0.25),  # none of the 100 may lie below: only -1 lies below 0
        (0.01, 0.5),  # below 1 lies 0, and so do -1 and .5
        (0.0199, 0.5),
        (0.05, 0.75),
        (0.29, 0.75),  # 100 * .29 is 28.999999999999996, and 29 may lie below
        (0.3, 1.0),
        (1.0, 1.0),
    ],
)
def test_the_true_positive_rate_stays_within_the_false_rejections(share, caught):
    clean = np.random.default_rng(0).permutation(np.arange(100.0))
    found = metrics.true_positive_rate(clean, array([0.5, 29.5, -1.0, 4.5]), share)
    assert (found.value, found.n) == (caught, 4)


def test_the_true_positive_rate_rejects_no_tied_clean_image_too_many():
    # At most 1 of the 20 may lie below; with two at 0, none may, and .0 itself is not below.
    clean = array([0.0, 0.0, *np.arange(1.0, 19)])
    found = metrics.true_positive_rate(clean, array([0.0, 0.5, -1.0]), 0.05)
    assert found.value == pytest.approx(1 / 3)


def test_a_true_positive_rate_needs_both_kinds():
    assert metrics.true_positive_rate(np.empty(0), array([1.0]), 0.01) is None
    assert metrics.true_positive_rate(array([1.0]), np.empty(0), 0.01) is None


def test_a_detection_names_its_detector_and_its_false_rejections():
    clean = np.arange(100.0)
    row = detection(array([0.5, 4.5, 50.0]), 3.0, flags(3, 3), clean=clean)
    assert (row.name, row.detector) == ("patch", "STRIP")
    assert (row.false_rejection_rate.value, row.false_rejection_rate.n) == (0.03, 100)
    assert row.true_positive_rate_at_1.value == pytest.approx(1 / 3)
    assert row.true_positive_rate_at_5.value == pytest.approx(2 / 3)
    # 99 lie above .5, 95 above 4.5, 49 above 50 and one ties with it: 243.5 of 300 pairs.
    assert row.auroc.value == pytest.approx(243.5 / 300)


@pytest.mark.parametrize(("threshold", "accepted"), [(-math.inf, 1.0), (math.inf, 0.0)])
def test_strip_3_flagging_nothing_accepts_every_attack(threshold, accepted):
    row = detection(array([0.0, 0.5, 3.0]), threshold, flags(3, 3))
    assert row.false_acceptance_rate.value == accepted
    assert row.false_acceptance_rate_of_successful.value == accepted


def test_strip_5_and_11_acceptance_of_successful_attacks_pairs_scores_with_their_images():
    # Flagged below 1: images 1, 2 and 4. Missed: 0 and 3, of which only 3 fools the model.
    # With the scores sorted first, the mask would pick .5, 2 and 2.5: two of three missed.
    scores = array([2.0, 0.1, 0.9, 2.5, 0.5])
    succeeded = array([False, True, False, True, True])
    row = detection(scores, 1.0, succeeded)
    assert row.false_acceptance_rate.value == 0.4
    assert row.false_acceptance_rate.n == 5
    assert row.false_acceptance_rate_of_successful.value == pytest.approx(1 / 3)
    assert row.false_acceptance_rate_of_successful.n == 3


def test_strip_11_no_successful_attack_leaves_its_acceptance_unmeasured():
    row = detection(array([0.1, 2.0]), 1.0, flags(0, 2))
    assert row.false_acceptance_rate.value == 0.5
    assert row.false_acceptance_rate_of_successful is None


def test_a_score_at_the_threshold_is_accepted():
    row = detection(array([1.0]), 1.0, flags(1, 1))
    assert row.false_acceptance_rate.value == 1
