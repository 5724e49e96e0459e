"""What programs read: one row a setting and defence, numbers as numbers, nothing where unknown."""

from __future__ import annotations

import csv
import io
import json

import bench_lines
import pytest
from bench_lines import NONE, cell, done, failed

from badrepair.bench.flat import flat_rows, summary_csv, summary_json
from badrepair.bench.summary import summarise


def read(lines):
    return list(csv.DictReader(io.StringIO(summary_csv(summarise(lines)))))


def test_a_row_has_mean_spread_number_and_worst_cell_of_every_measure():
    lines = [
        done(cell("anp", seed=seed), success=(1.0, left)) for seed, left in enumerate([0.2, 0.4])
    ]
    (row,) = read(lines)
    assert row["attack"] == "badnets"
    assert (row["cells"], row["done"], row["failed"]) == ("2", "2", "0")
    assert row["undefended_attack_success_rate"] == "1.0"
    found = [row[f"attack_success_rate_{of}"] for of in ("mean", "sd", "n", "worst", "worst_seed")]
    assert [float(one) for one in found] == pytest.approx([0.3, 0.02**0.5, 2, 0.4, 1])
    # Of recovered accuracy the lowest is the worst.
    assert float(row["recovered_accuracy_worst"]) == pytest.approx(0.6 * 0.97)


def test_what_is_unknown_is_empty_and_not_zero():
    (row,) = read([failed(cell("anp"))])
    assert row["attack_success_rate_mean"] == row["attack_success_rate_sd"] == ""
    assert row["undefended_attack_success_rate"] == ""
    assert (row["attack_success_rate_n"], row["failed"]) == ("0", "1")


def test_a_negative_number_stays_a_number_and_a_name_is_no_formula():
    lines = [done(cell("anp", attack="=HYPERLINK(1)"), accuracy=(0.9, 0.95))]
    (row,) = read(lines)
    assert float(row["accuracy_fall_mean"]) == pytest.approx(-0.05)
    assert row["attack"] == "'=HYPERLINK(1)"


def test_json_holds_the_same_rows_the_standings_and_the_failures():
    lines = bench_lines.realistic()
    summary = summarise(lines)
    found = json.loads(json.dumps(summary_json(summary), allow_nan=False))
    assert found["results"] == flat_rows(summary)
    assert len(found["standings"]) == len(summary.standings)
    assert found["standings"][0]["attacked"]["auroc_n"] == 0
    assert {one["error"]["code"] for one in found["failures"]} == {"TooFewImages"}
    assert found["cells"]["planned"] > found["cells"]["done"]


def test_every_setting_and_defence_has_a_row():
    summary = summarise(bench_lines.realistic())
    # 2 networks, 5 attacks at 2 rates and a clean control, 6 defences.
    assert len(flat_rows(summary)) == 2 * 11 * 6
    assert summary_csv(summarise([])) == "\n"


def test_json_names_the_attacks_that_lower_clean_accuracy():
    lines = [
        done(cell(attack=NONE, rate=0.0), accuracy=(0.65, 0.65)),
        done(cell("anp"), accuracy=(0.1, 0.1)),
        done(cell("anp", attack="wanet"), accuracy=(0.64, 0.64)),
    ]
    found = summary_json(summarise(lines))
    (only,) = found["attacks_that_lower_accuracy"]
    assert only == {
        "data": "digits",
        "architecture": "small-cnn",
        "attack": "badnets",
        "poison_rate": 0.1,
        "clean_accuracy_drop": pytest.approx(0.55),
    }
    drops = {row["attack"]: row["clean_accuracy_drop"] for row in found["results"]}
    assert drops == {"none": None, "badnets": pytest.approx(0.55), "wanet": pytest.approx(0.01)}


def test_json_counts_the_attacks_that_a_defence_makes_work_or_that_failed_with_it():
    lines = [
        done(cell("anp", attack="wanet"), success=(0.1, 0.9)),
        done(cell(NONE)),
        failed(cell("anp")),
    ]
    standings = {one["defense"]: one for one in summary_json(summarise(lines))["standings"]}
    found = standings["anp"]
    assert (found["attacks_left"], found["attacks_made_to_work"]) == (0, 1)
    assert (found["attacks_not_measured"], found["attacks_whose_cells_failed"]) == (1, 1)
