"""What an attack costs in clean accuracy is told against the control of the same network."""

from __future__ import annotations

import bench_lines
import pytest
from bench_lines import NONE, cell, done

from badrepair.bench.summary import summarise


def clean_and_attacked(*, clean, attacked, network=bench_lines.NETWORKS[0]):
    """Return lines of undefended networks: one a seed, by their clean accuracies."""
    return [
        done(cell(attack=attack, rate=rate, seed=seed, network=network), accuracy=(one, one))
        for attack, rate, accuracies in ((NONE, 0.0, clean), ("badnets", 0.1, attacked))
        for seed, one in enumerate(accuracies)
    ]


def drops(lines):
    """Return by attack how much accuracy it costs, and whether that is much."""
    return {
        one.setting.attack: (one.accuracy_drop, one.lowers_accuracy)
        for one in summarise(lines).results
    }


def test_an_attack_lowers_accuracy_where_the_mean_lies_more_than_two_points_below_the_control():
    collapsed = drops(clean_and_attacked(clean=(0.7, 0.6), attacked=(0.1, 0.2)))
    assert collapsed == {"badnets": (pytest.approx(0.5), True), NONE: (None, False)}
    just_two = drops(clean_and_attacked(clean=(0.97,), attacked=(0.95,)))
    assert just_two["badnets"] == (pytest.approx(0.02), False)
    higher = drops(clean_and_attacked(clean=(0.9,), attacked=(0.95,)))
    assert higher["badnets"] == (pytest.approx(-0.05), False)


def test_an_attack_without_a_control_of_its_network_lowers_nothing_that_is_known():
    attacked = clean_and_attacked(clean=(), attacked=(0.1,))
    elsewhere = clean_and_attacked(clean=(0.9,), attacked=(), network=bench_lines.NETWORKS[1])
    assert drops([*attacked, *elsewhere]) == {"badnets": (None, False), NONE: (None, False)}


def test_the_attack_that_costs_most_accuracy_is_named_first():
    lines = clean_and_attacked(clean=(0.9,), attacked=(0.8,))
    lines.append(done(cell(attack="wanet"), accuracy=(0.3, 0.3)))
    found = summarise(lines).lowering()
    assert [(one.attack, round(drop, 9)) for one, drop in found.items()] == [
        ("wanet", 0.6),
        ("badnets", 0.1),
    ]
