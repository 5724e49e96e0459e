"""A guard that flags too much of a stream is noticed soon, and one that does not is left alone."""

from __future__ import annotations

import math

import numpy as np
import pytest

from badrepair.drift import Drift, DriftMonitor, largest_clean_share

# log(1 + 2 * p0) goes 55 times into log 3: each image moves the sum by whole steps.
STEPS = 55
ONE_IN_A_HUNDRED = (3 ** (1 / STEPS) - 1) / 2


def average_run_length(share, *, images_a_false_alarm=100_000):
    """Return after how many images the alarm comes, solved as a Markov chain over the steps."""
    limit = math.ceil(math.log(images_a_false_alarm) / (math.log(3) / STEPS))
    stay = np.eye(limit)
    for state in range(limit):
        stay[state, max(0, state - 1)] -= 1 - share
        if state + STEPS - 1 < limit:
            stay[state, state + STEPS - 1] -= share
    return np.linalg.solve(stay, np.ones(limit))[0]


def watched(flags, expected=ONE_IN_A_HUNDRED, **options):
    """Return the monitor, and the rows at which it raised the alarm."""
    monitor = DriftMonitor(expected, **options)
    return monitor, [row for row, flag in enumerate(flags) if monitor.see(row, bool(flag))]


def stream(*parts, seed=0):
    """Return flags: of each part, its number of images and the share flagged."""
    random = np.random.default_rng(seed)
    return np.concatenate([random.random(count) < share for count, share in parts])


def test_the_sum_is_that_of_the_log_likelihood_ratios_by_hand():
    # p0 = 1/2 and p1 = 3/4: a flagged image adds log(3/2), a passed one log(1/2).
    # Three in a row add up to log(27/8), the first sum of log 3 or more.
    monitor, alarms = watched([1, 0, 0, 1, 1, 1, 0], 0.5, images_a_false_alarm=3)
    assert alarms == [5]
    assert monitor.drift == Drift(since=3, until=5, images=3, flagged=3, expected=0.5)
    # Two in a row and a passed one leave log(9/8): the row with which it began stays.
    _, alarms = watched([1, 1, 0, 1, 1, 1], 0.5, images_a_false_alarm=3)
    assert alarms == [5]


def test_a_false_alarm_comes_once_in_sixteen_million_images_at_one_per_cent():
    assert round(ONE_IN_A_HUNDRED, 3) == 0.01
    assert average_run_length(ONE_IN_A_HUNDRED) == pytest.approx(16.3e6, rel=0.01)
    # Lorden's bound, which holds for every share.
    assert average_run_length(ONE_IN_A_HUNDRED) > 100_000


@pytest.mark.parametrize(("times", "images"), [(2, 3332), (3, 826), (5, 326), (7.3, 192)])
def test_a_drift_is_noticed_after_so_many_images(times, images):
    assert average_run_length(times * ONE_IN_A_HUNDRED) == pytest.approx(images, abs=1)


def test_the_monitor_takes_as_long_as_the_chain_says():
    lengths = []
    for seed in range(400):
        flags = stream((40_000, 2 * ONE_IN_A_HUNDRED), seed=seed)
        monitor = DriftMonitor(ONE_IN_A_HUNDRED, images_a_false_alarm=20)
        lengths.append(next(n for n, flag in enumerate(flags, 1) if monitor.see(n, bool(flag))))
    expected = average_run_length(2 * ONE_IN_A_HUNDRED, images_a_false_alarm=20)
    # 400 lengths that are about exponential: their mean is off by 5 % on average.
    assert np.mean(lengths) == pytest.approx(expected, rel=0.15)


def test_half_a_million_clean_images_raise_no_alarm():
    monitor, alarms = watched(stream((500_000, 0.01)), 0.01)
    assert alarms == []
    assert monitor.drift is None


def test_a_drift_is_dated_and_measured():
    flags = stream((4000, 0.01), (6000, 0.073))
    monitor, (alarm,) = watched(flags, 0.01)
    drift = monitor.drift
    assert abs(drift.since - 4000) < 100
    assert alarm < 4500
    assert drift.until > 9000
    assert not drift.over
    part = flags[drift.since : drift.until + 1]
    assert (drift.images, drift.flagged) == (len(part), part.sum())
    assert drift.flagged / drift.images == pytest.approx(0.073, abs=0.01)


def test_a_drift_that_ends_keeps_its_end():
    monitor, alarms = watched(stream((4000, 0.01), (2000, 0.1), (20_000, 0.005)), 0.01)
    assert len(alarms) == 1
    assert monitor.drift.over
    assert abs(monitor.drift.until - 6000) < 100
    assert monitor.drift.flagged / monitor.drift.images == pytest.approx(0.1, abs=0.02)


def test_a_long_drift_is_over_soon_after_its_end():
    monitor, _ = watched(stream((1000, 0.0), (6000, 0.1)))
    assert not monitor.drift.over
    until = monitor.drift.until
    # log 100,000 over log 1.02: so many clean images outweigh the alarm.
    for row in range(7000, 7000 + 700):
        monitor.see(row, False)
    assert monitor.drift.over
    assert monitor.drift.until == until


def test_it_is_said_once_even_if_it_comes_again():
    parts = ((1000, 0.0), (500, 0.2), (20_000, 0.0))
    monitor, alarms = watched(stream(*parts, *parts), 0.01)
    assert len(alarms) == 1
    assert monitor.drift.until < 1600


def test_the_same_rows_come_to_the_same_state_wherever_they_are_broken_off():
    flags = stream((3000, 0.01), (800, 0.1), (500, 0.0))
    whole, _ = watched(flags)
    for cut in (0, 1, 3100, 3700, 4299):
        monitor, _ = watched(flags[:cut])
        for row in range(cut, len(flags)):
            monitor.see(row, bool(flags[row]))
        assert monitor.drift == whole.drift


def test_rows_that_are_left_out_keep_their_numbers():
    monitor = DriftMonitor(0.01)
    # 11 times log 3 - log 1.02 is the first multiple above log 100,000.
    assert any(monitor.see(row, True) for row in range(100, 200, 2))
    assert monitor.drift == Drift(since=100, until=120, images=11, flagged=11, expected=0.01)


def test_the_sentence_says_since_when_how_much_and_what_to_do():
    drift = Drift(since=4120, until=9000, images=1000, flagged=73, expected=0.01)
    assert drift.sentence == (
        "since row 4,120 the guard flags 7.3 % of the stream, against at most 1 % of clean images:"
        " poisoned inputs, or images of another kind than the calibration; calibrate again if they"
        " are clean"
    )
    ended = Drift(since=4120, until=9000, images=1000, flagged=73, expected=0.01, over=True)
    assert ended.sentence.startswith("from row 4,120 to row 9,000 the guard flagged 7.3 %")


def test_the_largest_clean_share_is_the_bound_of_clopper_and_pearson():
    # None of 299 below: (1 - share)^299 = 0.05.
    assert largest_clean_share(299, 0, 0.001) == pytest.approx(1 - 0.05 ** (1 / 299))
    # The share of all clean images is then larger in 5 of 100 calibrations.
    share = largest_clean_share(1000, 9, 0.001)
    random = np.random.default_rng(0)
    below = random.binomial(1000, share, 100_000) <= 9
    assert below.mean() == pytest.approx(0.05, abs=0.003)


def test_no_less_is_expected_than_was_promised():
    assert largest_clean_share(100_000, 10, 0.01) == 0.01


def test_a_threshold_above_all_scores_can_flag_all():
    assert largest_clean_share(5, 5, 0.01) == 1
    assert watched([1] * 10_000, 1.0)[1] == []
