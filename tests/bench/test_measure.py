"""Means are over seeds first, spreads are of seeds only: worked out by hand."""

from __future__ import annotations

import bench_lines
import pytest

from badrepair.bench.measure import measure


def values(*numbers, attack="badnets"):
    return [(bench_lines.cell(attack=attack, seed=seed), one) for seed, one in enumerate(numbers)]


def test_every_setting_has_the_same_weight_however_many_seeds_it_has():
    # (0.1 + 0.2 + 0.3) / 3 = 0.2 and 0.8: their mean is 0.5, that of all four numbers 0.35.
    found = measure([*values(0.1, 0.2, 0.3), *values(0.8, attack="wanet")])
    assert found.mean == pytest.approx(0.5)
    assert found.n == 4


def test_the_spread_is_of_seeds_and_not_of_settings():
    # Squares about their own means: 0.01 + 0.01 + 0 and 0.005 + 0.005; degrees of freedom: 2 + 1.
    found = measure([*values(0.1, 0.3, 0.2), *values(0.8, 0.9, attack="wanet")])
    assert found.deviation == pytest.approx((0.025 / 3) ** 0.5)


def test_one_seed_a_setting_has_no_spread():
    assert measure([*values(0.1), *values(0.9, attack="wanet")]).deviation is None


def test_extremes_are_single_cells_and_the_first_of_equals():
    found = measure([*values(0.1, 0.9, 0.9), *values(0.1, attack="wanet")])
    assert (found.highest.value, found.highest.cell.seed) == (0.9, 1)
    assert (found.lowest.value, found.lowest.cell.attack) == (0.1, "badnets")


def test_nothing_measured_is_no_measure():
    assert measure([]) is None
