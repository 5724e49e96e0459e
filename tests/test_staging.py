"""Stages decide as all overlays would, at every threshold, and their score keeps the promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from badrepair import staging
from badrepair.calibration import threshold
from badrepair.staging import Stages

TWO_LOOKS = Stages(
    looks=np.array([2, 4]),
    factor=np.array([1.0, 1.0]),
    below=np.array([0.25, 0.0]),
    above=np.array([0.5, 0.0]),
)
# Foretold 1 after two overlays, 1/2 after all four; and 0 and 1.
FALLING, RISING = [1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 2.0, 2.0]


def one_score(stages, entropies):
    return staging.scores(*stages.bands(np.array([entropies])))[0]


def test_with_all_overlays_at_once_the_score_is_the_mean():
    stages = staging.all_at_once(4)
    assert one_score(stages, [1.0, 2.0, 3.0, 4.0]) == 2.5
    assert one_score(stages, [1.0, np.nan, 3.0, 5.0]) == 3.0


def test_the_score_is_the_threshold_above_which_an_input_is_flagged():
    # Falling: the first band is [0.75, 1.5]. Up to 0.75 it is passed before it turns out low.
    assert one_score(TWO_LOOKS, FALLING) == 0.75
    # Rising: the first band is [-0.25, 0.5]. Above 0.5 it is flagged before it turns out high.
    assert one_score(TWO_LOOKS, RISING) == 0.5


def test_an_input_that_stays_within_its_bands_has_its_mean_as_its_score():
    assert one_score(TWO_LOOKS, [1.0, 1.0, 0.9, 0.7]) == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("bits", "look", "flagged"),
    [(0.75, 0, False), (0.76, 1, True), (1.5, 1, True), (1.51, 0, True)],
)
def test_looking_stops_as_soon_as_the_band_is_on_one_side(bits, look, flagged):
    ends = TWO_LOOKS.bands(np.array([FALLING]))
    assert staging.deciding_look(*ends, bits).tolist() == [look]
    watch = watched(TWO_LOOKS, np.array([FALLING]), bits)
    assert (watch.looked.tolist(), watch.flagged.tolist()) == ([[2], [4]][look], [flagged])


def test_the_mean_so_far_foretells_the_mean_of_all_by_its_factor():
    stages = Stages(
        looks=np.array([2, 4]),
        factor=np.array([0.5, 1.0]),
        below=np.zeros(2),
        above=np.zeros(2),
    )
    lower, upper = stages.bands(np.array([[2.0, 4.0, 0.0, 0.0]]))
    assert lower.tolist() == upper.tolist() == [[1.5, 1.5]]


def test_an_overlay_that_does_not_count_leaves_the_look_to_the_others():
    lower, upper = TWO_LOOKS.bands(np.array([[np.nan, 1.0, 1.0, 4.0]]))
    assert (lower.tolist(), upper.tolist()) == ([[0.75, 2.0]], [[1.5, 2.0]])


def test_a_look_at_nothing_decides_nothing():
    ends = TWO_LOOKS.bands(np.array([[np.nan, np.nan, 1.0, 4.0]]))
    assert staging.deciding_look(*ends, 1.0).tolist() == [1]
    assert staging.scores(*ends).tolist() == [2.5]


def watched(stages, entropies, bits):
    """Return what is known when each input was looked at as long as it had to be."""
    watch = staging.Watch(len(entropies), stages, bits)
    start = 0
    for end in stages.looks:
        if len(watch.rows):
            watch.look(entropies[watch.rows, start:end])
        start = end
    assert not len(watch.rows)
    return watch


shares = st.floats(0, 2, allow_nan=False)


@st.composite
def stages_and_entropies(draw):
    overlays = draw(st.integers(1, 9))
    looks = sorted({*draw(st.lists(st.integers(1, overlays), max_size=4)), overlays})

    def values(last):
        return np.array(
            [*draw(st.lists(shares, min_size=len(looks) - 1, max_size=len(looks) - 1)), last]
        )

    stages = Stages(looks=np.array(looks), factor=values(1), below=values(0), above=values(0))
    row = st.lists(st.one_of(shares, st.just(np.nan)), min_size=overlays - 1, max_size=overlays - 1)
    rows = draw(st.lists(row, min_size=1, max_size=5))
    last = draw(st.lists(shares, min_size=len(rows), max_size=len(rows)))
    return stages, np.array([[*row, end] for row, end in zip(rows, last, strict=True)])


@settings(max_examples=300, deadline=None)
@given(stages_and_entropies(), shares)
def test_whatever_the_stages_an_input_is_flagged_if_its_score_is_below_the_threshold(case, bits):
    stages, entropies = case
    ends = stages.bands(entropies)
    scores = staging.scores(*ends)
    watch = watched(stages, entropies, bits)
    assert watch.flagged.tolist() == (scores < bits).tolist()
    assert (watch.looked == stages.looks[staging.deciding_look(*ends, bits)]).all()
    # What is known of the score when the decision came: never less than it, on the same side.
    assert (watch.at_most >= scores).all()
    assert ((watch.at_most < bits) == watch.flagged).all()


@settings(max_examples=100, deadline=None)
@given(stages_and_entropies(), shares, shares)
def test_what_is_flagged_at_one_threshold_is_flagged_at_every_higher_one(case, one, other):
    stages, entropies = case
    low, high = (watched(stages, entropies, bits).flagged for bits in sorted((one, other)))
    assert not (low & ~high).any()


def traffic(random, images, overlays=40):
    """Return entropies of images that differ in their mean, and scatter around it."""
    means = random.gamma(3.0, 0.2, size=(images, 1))
    return means * random.gamma(4.0, 0.25, size=(images, overlays))


def test_learnt_stages_decide_as_all_overlays_do_with_far_fewer():
    random = np.random.default_rng(0)
    order, stages = staging.learnt(traffic(random, 300))
    fresh = traffic(random, 20_000)[:, order]
    bits = np.quantile(fresh.mean(axis=1), 0.01)
    ends = stages.bands(fresh)
    agreement = np.mean((staging.scores(*ends) < bits) == (fresh.mean(axis=1) < bits))
    assert agreement >= 0.995
    assert stages.looks[staging.deciding_look(*ends, bits)].mean() < 20


def test_the_bands_hold_every_image_that_they_were_learnt_from_where_it_matters():
    entropies = traffic(np.random.default_rng(1), 200)
    order, stages = staging.learnt(entropies)
    lower, upper = stages.bands(entropies[:, order])
    means = entropies.mean(axis=1)
    low = means <= np.quantile(means, 1 / 3)
    assert (upper >= means[:, None] - 1e-12).all()
    assert (lower[low] <= means[low, None] + 1e-12).all()


def test_fewer_images_make_wider_bands_of_the_same_differences():
    entropies = traffic(np.random.default_rng(2), 50)
    few, many = (staging.learnt(np.tile(entropies, (times, 1)))[1] for times in (1, 4))
    # 1 + 50 / 50 against 1 + 50 / 200.
    np.testing.assert_allclose(few.below, many.below * 2 / 1.25)
    np.testing.assert_allclose(few.above, many.above * 2 / 1.25)


def test_the_overlay_that_tells_most_about_the_mean_comes_first():
    random = np.random.default_rng(3)
    means = random.random((100, 1))
    entropies = means + random.normal(size=(100, 12)) * np.linspace(1, 0.1, 12)
    order, _ = staging.learnt(entropies)
    assert order[0] in {10, 11}
    assert sorted(order) == list(range(12))


def test_each_next_overlay_is_the_one_that_completes_those_before():
    # Alone the second tells more than the third, but next to the first nothing.
    random = np.random.default_rng(3)
    one, noise, other = random.normal(size=(3, 2000))
    entropies = np.c_[3 * one, one + noise / 2, other]
    assert staging.most_telling(entropies).tolist() == [0, 2, 1]


def test_an_overlay_that_does_not_count_is_taken_for_the_mean_of_its_image():
    entropies = traffic(np.random.default_rng(7), 100, 8) + 5
    holed = entropies.copy()
    holed[::10, 3] = np.nan
    filled = np.where(np.isnan(holed), np.nanmean(holed, axis=1)[:, None], holed)
    (order, stages), (same, expected) = staging.learnt(holed), staging.learnt(filled)
    assert order.tolist() == same.tolist()
    np.testing.assert_allclose(stages.below, expected.below)
    np.testing.assert_allclose(stages.above, expected.above)


def test_only_images_with_low_means_say_how_far_a_mean_may_lie_below():
    # Of eight overlays the first four foretell high means by 4 too high or too low, low ones well.
    low = np.tile([[1.1, 0.9], [0.9, 1.1]], (20, 1))
    high = np.tile([[9.0, 1.0], [1.0, 9.0]], (40, 1))
    entropies = np.repeat(np.r_[low, high], 4, axis=1)
    stages = staging._bands(entropies, entropies.mean(axis=1), np.arange(120) < 40)
    foretold = stages.factor[0] * entropies[:, :4].mean(axis=1)
    off = foretold - entropies.mean(axis=1)
    assert stages.below[0] == pytest.approx((1 + 50 / 120) * max(off[:40].max(), 0))
    assert stages.above[0] == pytest.approx((1 + 50 / 120) * max(-off.min(), 0))
    assert off[40:].max() > off[:40].max() + 3


def test_what_is_known_of_a_score_never_grows_from_look_to_look():
    stages = Stages(
        looks=np.array([1, 2, 3]), factor=np.ones(3), below=np.zeros(3) + 9, above=np.zeros(3)
    )
    watch = staging.Watch(1, stages, -5.0)
    known = []
    for entropy in (1.0, 5.0, 0.0):
        watch.look(np.array([[entropy]]))
        known.append(float(watch.at_most[0]))
    # The upper ends are 1, 3 and 2.
    assert known == [1.0, 1.0, 1.0]


def test_overlays_that_tell_nothing_still_have_their_place():
    order = staging.most_telling(np.tile([1.0, 0.0, 2.0], (10, 1)))
    assert sorted(order) == [0, 1, 2]


@pytest.mark.parametrize(("images", "overlays"), [(49, 40), (300, 7), (0, 40)])
def test_from_too_little_nothing_is_learnt_and_all_overlays_count(images, overlays):
    order, stages = staging.learnt(traffic(np.random.default_rng(4), images, overlays))
    assert order.tolist() == list(range(overlays))
    assert stages.looks.tolist() == [overlays]


@pytest.mark.parametrize(
    ("overlays", "looks"),
    [(8, [4, 8]), (20, [4, 6, 8, 12, 20]), (100, [4, 6, 8, 12, 16, 24, 32, 48, 64, 100])],
)
def test_looks_are_close_at_first_and_end_with_all_overlays(overlays, looks):
    _, stages = staging.learnt(traffic(np.random.default_rng(5), 60, overlays))
    assert stages.looks.tolist() == looks


def test_the_whole_staged_procedure_keeps_the_promise_on_average():
    """300 splits: the mean realised rate is at most 5 %, give or take what 300 splits tell."""
    random = np.random.default_rng(6)
    rates = []
    for _ in range(300):
        order, stages = staging.learnt(traffic(random, 60, 12))
        calibrating, fresh = (traffic(random, n, 12)[:, order] for n in (99, 400))
        bits = threshold("conformal", staging.scores(*stages.bands(calibrating)), 0.05)
        rates.append(watched(stages, fresh, bits).flagged.mean())
    # The rate of one split is about Beta(5, 95): its deviation is 0.0217, that of the mean 0.0013.
    assert np.mean(rates) <= 0.05 + 3 * 0.0013
    assert np.mean(rates) >= 0.05 - 4 * 0.0013
