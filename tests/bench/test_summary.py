"""A summary worked out by hand from a handful of lines; what is missing is missing, never 0."""

from __future__ import annotations

import random

import bench_lines
import pytest
from bench_lines import NONE, cell, done, failed

from badrepair.bench.standing import Scope
from badrepair.bench.summary import summarise


def both(attack, *, before, after, rate=0.1, seed=0):
    """Return the lines of a network without a defence, and with fine-pruning."""
    where = {"attack": attack, "rate": rate, "seed": seed}
    return [
        done(cell(NONE, **where), success=(before, before)),
        done(cell("fine-pruning", **where), success=(before, after)),
    ]


def standing(summary, defense, scope=None):
    chosen = summary.within(scope or summary.scopes[0])
    return next(one for one in chosen if one.defense == defense)


def names(standings):
    return [one.defense for one in standings]


def test_an_attack_is_left_where_its_mean_stays_above_a_fifth():
    lines = [
        *both("badnets", before=1.0, after=0.0, seed=0),
        *both("badnets", before=1.0, after=0.5, seed=1),  # mean 0.25: left
        *both("blended", before=1.0, after=0.2, seed=0),
        *both("blended", before=1.0, after=0.2, seed=1),  # mean 0.2, not above it: gone
        *both("wanet", before=0.2, after=0.2, seed=0),
        *both("wanet", before=0.2, after=0.2, seed=1),  # never worked: does not count
    ]
    found = standing(summarise(lines), "fine-pruning")
    assert (found.left, found.threats, found.unmeasured) == (1, 2, 0)
    success = found.attacked["attack_success_rate"]
    assert success.mean == pytest.approx((0.25 + 0.2 + 0.2) / 3)
    # 0.25 twice squared from the mean of badnets, over 3 degrees of freedom.
    assert success.deviation == pytest.approx((0.125 / 3) ** 0.5)
    assert (success.highest.value, success.highest.cell.attack) == (0.5, "badnets")
    assert success.highest.cell.seed == 1


def test_of_several_triggers_the_one_that_works_best_counts():
    line = done(
        cell("fine-pruning", attack="two-triggers"),
        success=(1.0, [0.1, 0.7]),
        triggers=("one", "two"),
        accuracy=(0.9, 0.8),
    )
    (result,) = summarise([line]).results
    assert result.measures["attack_success_rate"].mean == 0.7
    # Recovered accuracy and DER are of the worst trigger as well: 0.3 * 0.8, and (0.3 - 0.1 + 1)/2.
    assert result.measures["recovered_accuracy"].mean == pytest.approx(0.24)
    assert result.measures["defense_effectiveness"].mean == pytest.approx(0.6)
    assert result.measures["accuracy_fall"].mean == pytest.approx(0.1)
    assert "auroc" not in result.measures


def test_a_cell_that_is_missing_or_failed_is_no_zero():
    lines = [
        *both("badnets", before=1.0, after=0.4, seed=0),
        *both("badnets", before=1.0, after=0.4, seed=1)[:1],
        *both("blended", before=1.0, after=0.0, seed=0)[:1],
        failed(cell("fine-pruning", attack="blended", seed=0)),
    ]
    summary = summarise(lines)
    found = standing(summary, "fine-pruning")
    assert found.attacked["attack_success_rate"].mean == 0.4
    assert (found.planned, found.done, found.failed) == (4, 1, 1)
    # Nothing is known of blended: it is no success of the defence.
    assert (found.left, found.threats, found.unmeasured) == (1, 2, 1)
    # That blended works is known from one of two seeds, and that of the other seed is expected.
    assert (len(summary.cells), summary.done, len(summary.failures)) == (8, 4, 1)


def test_how_an_attack_does_without_a_defence_is_known_from_any_cell_of_its_network():
    line = both("badnets", before=0.9, after=0.1)[1]
    (result,) = summarise([line]).results
    assert result.undefended == 0.9
    assert standing(summarise([line]), "fine-pruning").threats == 1


def test_the_best_has_fewest_attacks_left_and_then_the_lowest_success():
    lines = [
        done(cell(defense, attack=attack), success=(1.0, left))
        for defense, lefts in {
            "anp": (0.9, 0.0),  # one left, mean 0.45
            "strip": (0.19, 0.19),  # none left
            "fine-tuning": (0.15, 0.1),  # none left, and less
            "none": (1.0, 1.0),
        }.items()
        for attack, left in zip(("badnets", "wanet"), lefts, strict=True)
    ]
    lines.append(done(cell("fine-pruning"), success=(1.0, 0.0)))  # nothing is known of wanet
    summary = summarise(lines)
    expected = ["fine-tuning", "strip", "fine-pruning", "anp", "none"]
    assert names(summary.within(summary.scopes[0])) == expected
    assert summary.defenses[0] == NONE


def test_clean_networks_count_apart():
    lines = [
        *both("badnets", before=1.0, after=0.0),
        done(cell(NONE, attack=NONE, rate=0.0), accuracy=(0.95, 0.95)),
        done(cell("fine-pruning", attack=NONE, rate=0.0), accuracy=(0.95, 0.9)),
    ]
    found = standing(summarise(lines), "fine-pruning")
    assert found.attacked["accuracy"].n == found.control["accuracy"].n == 1
    assert found.attacked["accuracy_fall"].mean == 0
    assert found.control["accuracy_fall"].highest.value == pytest.approx(0.05)
    assert "attack_success_rate" not in found.control


def test_a_detector_is_judged_where_there_is_something_to_detect():
    lines = [
        done(cell("strip", attack="badnets"), success=(1.0, 0.1), detection=0.9, rejected=0.01),
        done(cell("strip", attack="wanet"), success=(0.1, 0.1), detection=0.5, rejected=0.03),
    ]
    found = standing(summarise(lines), "strip")
    assert found.working["auroc"].mean == found.working["auroc"].lowest.value == 0.9
    assert found.attacked["auroc"].mean == pytest.approx(0.7)
    assert found.attacked["false_rejection_rate"].mean == pytest.approx(0.02)
    assert found.attacked["false_rejection_rate"].highest.cell.attack == "wanet"


def test_time_and_memory_are_a_median_and_the_highest():
    lines = [
        done(cell("strip", seed=seed), detection=0.9, rejected=0.0, cost=cost)
        for seed, cost in enumerate([(1.0, 700.0), (3.0, None), (9.0, 900.0)])
    ]
    found = standing(summarise(lines), "strip").expense
    assert found.seconds == (3.0, 9.0)
    assert found.peak_mib == (800.0, 900.0)


def test_each_network_and_each_rate_has_standings_of_its_own():
    lines = [
        *both("badnets", before=1.0, after=0.4, rate=0.01),
        *both("badnets", before=1.0, after=0.0, rate=0.1),
        done(cell("fine-pruning", network=("other", "net")), success=(1.0, 0.8)),
    ]
    summary = summarise(lines)
    first, other = ("digits", "small-cnn"), ("other", "net")
    assert summary.scopes == tuple(
        Scope(*network, rate)
        for network in ((None, None), first, other)
        for rate in (None, 0.01, 0.1)
    )
    mean = {
        scope: standing(summary, "fine-pruning", scope).attacked["attack_success_rate"].mean
        for scope in (Scope(), Scope(*first), Scope(*first, 0.01), Scope(*other, 0.1))
    }
    assert list(mean.values()) == pytest.approx([0.4, 0.2, 0.4, 0.8])


def test_the_order_of_the_lines_changes_nothing():
    lines = bench_lines.realistic()
    mixed = random.Random(0).sample(lines, len(lines))
    assert summarise(mixed) == summarise(lines)


def test_the_grid_tells_the_order_and_what_is_missing():
    planned = [cell(defense, seed=seed) for defense in ("strip", NONE, "anp") for seed in (0, 1)]
    lines = [done(planned[2]), done(cell("fine-tuning"))]
    summary = summarise(lines, planned)
    assert summary.cells == tuple(planned)
    assert summary.defenses == (NONE, "strip", "anp")
    assert summary.done == 1  # fine-tuning is in no plan


def test_of_two_lines_about_a_cell_the_last_counts():
    old, new = (done(cell("anp"), success=(1.0, left)) for left in (0.9, 0.1))
    summary = summarise([old, new])
    assert summary.results[0].measures["attack_success_rate"].mean == 0.1
    assert summary.done == 1


def test_no_lines_are_an_empty_summary():
    summary = summarise([])
    assert (summary.cells, summary.results, summary.done) == ((), (), 0)


def test_an_attack_that_a_defence_makes_work_is_counted_apart_from_those_that_are_left():
    lines = [
        *both("badnets", before=1.0, after=0.5),  # left
        *both("blended", before=0.2, after=0.21),  # did not work before
        *both("wanet", before=0.1, after=0.2),  # nor does it now
        failed(cell("fine-pruning", attack="wanet", rate=0.01)),  # unknown
    ]
    summary = summarise(lines)
    found = standing(summary, "fine-pruning")
    assert (found.left, found.threats, found.made_to_work) == (1, 1, 1)
    assert standing(summary, NONE).made_to_work == 0


def test_without_a_defence_no_attack_is_made_to_work():
    # Of the two seeds of the mean before, 0.05 and 0.3, the one of that cell is the higher.
    lines = [
        done(cell("anp", seed=0), success=(0.05, 0.05)),
        done(cell(NONE, seed=1), success=(0.3, 0.3)),
    ]
    assert standing(summarise(lines), NONE).made_to_work == 0


def test_an_attack_of_which_nothing_was_measured_has_failed_or_is_missing():
    lines = [
        *both("badnets", before=1.0, after=0.0)[:1],
        *both("blended", before=1.0, after=0.0)[:1],
        failed(cell("fine-pruning", attack="blended")),
    ]
    found = standing(summarise(lines), "fine-pruning")
    assert (found.threats, found.unmeasured, found.unmeasured_failed) == (2, 2, 1)
    assert found.to_rank == 2
