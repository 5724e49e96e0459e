"""A threshold flags as many clean inputs as it promised, or says that it promises nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy import array
from scipy import stats

from badrepair import calibration
from badrepair.calibration import KINDS, excess_chance, needed, p_values, threshold
from badrepair.errors import DataError, OptionError

SPLITS, CALIBRATING = 300, 1000
# Long upper tail, bounded by 0, as entropies are; and its mirror image, a long lower tail.
LONG_ABOVE = stats.gamma(2)
LONG_BELOW = stats.beta(6, 1)


def test_there_are_four_ways():
    assert KINDS == ("conformal", "pac", "normal", "empirical")


def test_conformal_of_99_at_one_percent_flags_only_what_lies_below_the_smallest():
    scores = np.random.default_rng(0).permutation(np.arange(1.0, 100))
    assert threshold("conformal", scores, 0.01) == 1.0


def test_conformal_of_199_at_five_percent_lets_nine_lie_below():
    # ceil(200 * .95) = 190 are kept of 1..199, so 9 lie below the threshold.
    assert threshold("conformal", np.arange(1.0, 200), 0.05) == 10.0


def test_conformal_flags_no_tied_score():
    scores = array([0.0] * 50 + [1.0] * 149)
    assert np.sum(scores < threshold("conformal", scores, 0.05)) == 0


def test_conformal_of_98_at_one_percent_names_the_99_that_it_needs():
    with pytest.raises(DataError, match=r"needs 99 clean calibration images, there are 98") as info:
        threshold("conformal", np.arange(98.0), 0.01)
    assert info.value.code == "TooFewImages"
    assert info.value.hint == "give more clean images, or a larger --frr"


@pytest.mark.parametrize(
    ("kind", "rate", "confidence", "least"),
    [
        ("conformal", 0.1, 0.95, 9),
        ("conformal", 0.05, 0.95, 19),
        ("conformal", 0.001, 0.95, 999),
        ("conformal", 0.3, 0.95, 3),
        ("conformal", 0.9, 0.95, 1),
        # .99^299 = .0495 and .99^298 = .0500...03: ln .05 / ln .99 = 298.07.
        ("pac", 0.01, 0.95, 299),
        ("pac", 0.01, 0.99, 459),
        ("pac", 0.05, 0.9, 45),
        # .1^2 = .01 and .5^3 = .125 exactly: what is enough is enough.
        ("pac", 0.9, 0.99, 2),
        ("pac", 0.5, 0.875, 3),
        ("normal", 0.01, 0.95, 2),
        ("empirical", 0.01, 0.95, 1),
    ],
)
def test_the_number_that_is_said_to_be_needed_is_enough_and_one_less_is_not(
    kind, rate, confidence, least
):
    assert needed(kind, rate, confidence) == least
    assert math.isfinite(threshold(kind, np.arange(float(least)), rate, confidence=confidence))
    with pytest.raises(DataError, match=f"needs {least} clean .* there are {least - 1}"):
        threshold(kind, np.arange(float(least - 1)), rate, confidence=confidence)


@pytest.mark.parametrize(("n", "allowed"), [(1000, 4), (299, 0), (473, 1), (2000, 12)])
def test_strip_10_pac_allows_so_few_exceedances_that_the_rate_is_kept_with_95_percent(n, allowed):
    """1000 -> 4 and 299 -> 0 are the reference's; below, each is the last that is small enough."""
    scores = np.random.default_rng(0).permutation(n) / n
    assert np.sum(scores < threshold("pac", scores, 0.01)) == allowed
    chance = [math.comb(n, i) * 0.01**i * 0.99 ** (n - i) for i in range(allowed + 2)]
    assert sum(chance[: allowed + 1]) <= 0.05 < sum(chance)


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.999])
def test_pac_keeps_the_confidence_that_is_asked(confidence):
    n, rate = 1000, 0.01
    allowed = int(threshold("pac", np.arange(float(n)), rate, confidence=confidence))
    chance = [math.comb(n, i) * rate**i * (1 - rate) ** (n - i) for i in range(allowed + 2)]
    assert sum(chance[: allowed + 1]) <= 1 - confidence < sum(chance)


def test_strip_10_pac_says_how_many_images_it_needs_and_at_which_confidence():
    with pytest.raises(DataError, match="needs 299 clean calibration images, there are 298"):
        threshold("pac", np.arange(298.0), 0.01)
    with pytest.raises(DataError, match=r"rate of 1.00% at 99.5% confidence needs 528 clean"):
        threshold("pac", np.arange(10.0), 0.01, confidence=0.995)


def test_normal_is_the_quantile_of_the_fit():
    # Mean 3 and (population) deviation 1; the 5 % quantile of a normal lies 1.644854 below.
    found = threshold("normal", array([2.0, 4.0] * 10), 0.05)
    assert found == pytest.approx(3 - 1.644854, abs=1e-6)


def test_normal_of_equal_scores_is_that_score_and_not_nan():
    assert threshold("normal", array([0.5, 0.5]), 0.05) == 0.5


def test_strip_10_a_normal_fit_of_a_skewed_statistic_flags_nothing():
    # Mean .3 and deviation .2: the 1 % quantile is .3 - 2.326348 * .2 = -.165.
    scores = array([0.1, 0.5] * 100)
    assert threshold("normal", scores, 0.01) == pytest.approx(-0.1652696, abs=1e-6)
    assert threshold("conformal", scores, 0.01) == 0.1


def test_empirical_is_the_plain_quantile():
    assert threshold("empirical", np.arange(101.0), 0.05) == pytest.approx(5)


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.01, math.nan])
def test_a_rate_that_is_no_share_is_refused(rate):
    for kind in KINDS:
        with pytest.raises(ValueError, match=r"expected a rate in \(0, 1\)"):
            threshold(kind, np.arange(1000.0), rate)
    with pytest.raises(ValueError, match="expected a confidence"):
        needed("pac", 0.01, rate)


def test_p_values_count_the_calibration_scores_up_to_each_score():
    # Of 1, 2, 2, 3: none lies at or below 0; three do at or below 2; all four at 3. Of n + 1 = 5.
    found = p_values(array([2.0, 3.0, 1.0, 2.0]), array([0.0, 1.0, 1.5, 2.0, 2.5, 3.0, 9.0]))
    assert found.tolist() == [0.2, 0.4, 0.4, 0.8, 0.8, 1.0, 1.0]


def test_p_values_take_any_shape_and_no_calibration_at_all():
    assert p_values(array([1.0]), np.zeros((2, 0, 3))).shape == (2, 0, 3)
    assert p_values(np.empty(0), array([0.5])).tolist() == [1]


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.1, 0.25, 0.3, 0.5, 1 / 3])
@pytest.mark.parametrize("n", [99, 100, 119, 500])
def test_what_lies_below_the_conformal_threshold_has_a_p_value_of_at_most_the_rate(n, rate):
    """Both ways, ties included, whatever the number of different scores is."""
    random = np.random.default_rng(n)
    for different in (3, 20, 10**9):
        scores = random.integers(different, size=n) / different
        candidates = np.r_[scores, random.random(200), -1, 2]
        below = candidates < threshold("conformal", scores, rate)
        assert below.tolist() == (p_values(scores, candidates) <= rate).tolist()


def true_rates(kind, distribution, rate, n=CALIBRATING):
    """Return the exact share of clean inputs that each of many thresholds flags, shape (SPLITS,).

    A threshold t of a continuous distribution F flags the share F(t): no test images are needed.
    """
    samples = distribution.rvs(size=(SPLITS, n), random_state=np.random.default_rng(5))
    return distribution.cdf([threshold(kind, sample, rate) for sample in samples])


@pytest.mark.parametrize("distribution", [LONG_ABOVE, LONG_BELOW], ids=["above", "below"])
@pytest.mark.parametrize(("rate", "ranks"), [(0.01, 10), (0.005, 5), (0.05, 50)])
def test_strip_10_conformal_keeps_the_rate_on_average_and_uses_it(distribution, rate, ranks):
    # The rate of one threshold is Beta(k, n + 1 - k) with k = floor(1001 * rate), mean k / 1001.
    found = true_rates("conformal", distribution, rate)
    mean = ranks / 1001
    deviation = math.sqrt(mean * (1 - mean) / 1002)
    assert mean <= rate
    assert found.mean() == pytest.approx(mean, abs=4 * deviation / math.sqrt(SPLITS))
    assert found.std() == pytest.approx(deviation, rel=0.2)


@pytest.mark.parametrize("distribution", [LONG_ABOVE, LONG_BELOW], ids=["above", "below"])
def test_strip_10_pac_exceeds_the_rate_in_one_calibration_of_twenty_at_most(distribution):
    # At 1000 images 4 may lie below: P(Binomial(1000, .01) <= 4) = 2.87 % exceed, not quite 5 %.
    exceeding = int(np.sum(true_rates("pac", distribution, 0.01) > 0.01))
    assert exceeding <= stats.binom.ppf(0.999, SPLITS, 0.05)
    assert stats.binom.ppf(0.001, SPLITS, 0.0287) <= exceeding
    assert exceeding <= stats.binom.ppf(0.999, SPLITS, 0.0287)


def test_strip_10_conformal_alone_exceeds_the_rate_in_about_half_of_the_calibrations():
    # P(Beta(10, 991) > .01) = P(Binomial(1000, .01) <= 9) = 45.7 %: that is what pac is for.
    exceeding = np.mean(true_rates("conformal", LONG_ABOVE, 0.01) > 0.01)
    assert exceeding == pytest.approx(0.457, abs=4 * math.sqrt(0.457 * 0.543 / SPLITS))


def test_strip_10_a_normal_fit_flags_nothing_at_all_where_the_tail_is_above():
    # Gamma(2) has the mean 2 and the deviation 1.41: 2 - 2.33 * 1.41 = -1.29, and it is positive.
    assert true_rates("normal", LONG_ABOVE, 0.01).max() == 0


def test_strip_10_a_normal_fit_flags_far_more_than_was_agreed_where_the_tail_is_below():
    # Beta(6, 1): mean 6/7 and deviation .1237 put the 1 % quantile at .569, and .569^6 = 3.4 %.
    found = true_rates("normal", LONG_BELOW, 0.01)
    assert found.mean() == pytest.approx(0.034, abs=0.002)
    assert found.min() > 0.02


@pytest.mark.parametrize("distribution", [LONG_ABOVE, LONG_BELOW], ids=["above", "below"])
def test_the_empirical_quantile_is_about_right_and_a_little_beyond(distribution):
    # It lies at 9.99 of ranks 0..999, which is Beta's mean 10.99 / 1001 = 1.098 %.
    found = true_rates("empirical", distribution, 0.01)
    assert found.mean() == pytest.approx(0.01098, abs=4 * 0.0033 / math.sqrt(SPLITS))


def test_the_chance_of_an_excess_by_hand():
    # One calibration image, rate .5: half of all orders of it and one test image flag the latter.
    assert excess_chance(1, 0.5, tested=1, flagged=0) == 1
    assert excess_chance(1, 0.5, tested=1, flagged=1) == pytest.approx(1 / 2)
    # Both test images lie below the calibration image in two of the six orders of the three.
    assert excess_chance(1, 0.5, tested=2, flagged=2) == pytest.approx(1 / 3)


def test_an_excess_that_few_calibration_images_explain_is_not_rare():
    # 3 % instead of 1 %: of 99 images nothing is known so exactly, of 9999 it would be.
    assert 0.02 < excess_chance(99, 0.01, tested=1000, flagged=30) < 0.1
    assert excess_chance(9999, 0.01, tested=1000, flagged=30) < 1e-5


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("frr", 0.0), ("frr", 1.0), ("frr", math.nan), ("calibration", "best")),
        *(("confidence", 0.0), ("confidence", 1.0), ("confidence", math.nan)),
    ],
)
def test_options_that_make_no_threshold_are_named(option, value):
    good = {"frr": 0.01, "calibration": "pac", "confidence": 0.95}
    calibration.check_options(**good)
    with pytest.raises(
        OptionError, match=f"--{option}: expected a value .*, found {value}"
    ) as info:
        calibration.check_options(**{**good, option: value})
    assert info.value.code == "OptionInvalid"
