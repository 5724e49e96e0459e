"""The tables of a bench say what was measured, what is missing, and which cell is the worst."""

from __future__ import annotations

import io
from itertools import pairwise

import bench_lines
import pytest
from bench_lines import NONE, cell, done, failed
from rich.console import Console

from badrepair import tables
from badrepair.bench.summary import summarise
from badrepair.tables.bench import (
    bench_tables,
    control_table,
    detector_table,
    expense_table,
    failure_table,
)
from badrepair.tables.bench_cells import rate_name, share
from badrepair.tables.bench_leaderboard import leaderboard_table
from badrepair.tables.bench_success import success_table

DASH = tables.NOT_APPLICABLE


@pytest.fixture(scope="module")
def summary():
    cells = bench_lines.grid()
    return summarise(bench_lines.realistic(cells), cells)


def rows(table):
    """Return the rows as mappings, by the column that names the defence."""
    found = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    return {row.get("defence") or row.get("detector"): row for row in found}


def leaderboard(lines, planned=()):
    made = summarise(lines, planned)
    return leaderboard_table(made, made.scopes[0])


def in_terminal(table, width):
    console = Console(width=width, file=io.StringIO(), color_system=None)
    console.print(tables.as_rich(table, width))
    return console.file.getvalue()


def test_a_row_of_the_leaderboard_has_means_spreads_and_the_worst_cell_by_name():
    lines = [
        done(cell("anp", seed=seed), success=(1.0, left), accuracy=(0.95, 0.94))
        for seed, left in enumerate([0.3, 0.1])
    ]
    assert rows(leaderboard(lines))["anp"] == {
        "defence": "anp",
        "attacks left": "0 of 1",
        "ASR": "20.0 % ± 14.1",
        "worst ASR": "30.0 %",
        "worst case": "badnets 10 %, seed 0",
        "ACC": "94.0 % ± 0.0",
        "fall of ACC": "1.0 % ± 0.0",
        "RA": "75.2 % ± 13.3",
        "DER": "0.895 ± 0.071",
        "FRR": DASH,
        "cells": "2 of 2",
    }


def test_over_several_networks_the_worst_case_names_its_network():
    lines = [
        done(cell("anp", network=network), success=(1.0, left))
        for network, left in zip(bench_lines.NETWORKS, (0.1, 0.9), strict=True)
    ]
    found = rows(leaderboard(lines))["anp"]
    assert found["worst case"] == "fashion-mnist/resnet-20, badnets 10 %, seed 0"
    assert found["attacks left"] == "1 of 2"


def test_a_defence_of_which_nothing_is_known_is_missing_or_failed_and_not_perfect():
    lines = [done(cell(NONE)), failed(cell("strip"))]
    found = rows(leaderboard(lines, [cell(NONE), cell("strip"), cell("anp")]))
    columns = ("attacks left", "ASR", "ACC", "fall of ACC", "cells")
    assert [[found[name][of] for of in columns] for name in ("strip", "anp")] == [
        ["0 of 1, 1 failed", *["failed"] * 3, "0 of 1"],
        ["0 of 1, 1 missing", *["missing"] * 3, "0 of 1"],
    ]


def test_attacks_that_failed_and_those_that_are_missing_are_told_apart():
    attacks = ("badnets", "blended", "wanet")
    lines = [done(cell(NONE, attack=attack)) for attack in attacks]
    lines += [done(cell("anp", attack="badnets")), failed(cell("anp", attack="wanet"))]
    assert rows(leaderboard(lines))["anp"]["attacks left"] == "1 of 3, 1 failed, 1 missing"


def test_the_attack_table_shows_missing_failed_and_partly_measured_cells():
    lines = [
        *(done(cell(NONE, attack="badnets", seed=seed), success=(1.0, 1.0)) for seed in (0, 1)),
        done(cell("anp", attack="badnets"), success=(1.0, 0.25)),
        *(failed(cell("anp", attack="wanet", seed=seed)) for seed in (0, 1)),
    ]
    table = success_table(summarise(lines))
    assert table.columns == ("network", "attack", "rate", "none", "anp")
    assert [row[1:] for row in table.rows] == [
        ("badnets", "10 %", "100.0 %", "25.0 % *"),
        ("wanet", "10 %", "missing", "failed"),
    ]
    assert any(note.startswith("*: seeds are missing") for note in table.notes)


def test_detectors_have_a_table_of_their_own():
    lines = [
        done(cell("strip", seed=seed), detection=area, rejected=rejected)
        for seed, (area, rejected) in enumerate([(0.9, 0.01), (0.8, 0.03)])
    ]
    (row,) = rows(detector_table(summarise([*lines, done(cell("anp"))]))).values()
    assert row["AUROC"] == "0.850 ± 0.071"
    assert (row["worst AUROC"], row["worst case"]) == ("0.800", "badnets 10 %, seed 1")
    assert (row["TPR at 1 %"], row["worst TPR"]) == ("53.3 % ± 17.4", "41.0 %")
    assert (row["FRR"], row["highest FRR"], row["n"]) == ("2.0 % ± 1.4", "3.0 %", "2")


def test_a_detector_that_only_failed_has_failed():
    (row,) = rows(detector_table(summarise([done(cell(NONE)), failed(cell("strip"))]))).values()
    assert (row["AUROC"], row["TPR at 1 %"], row["n"]) == ("failed", "failed", "0")


def test_where_no_attack_works_a_detector_lacks_nothing():
    lines = [done(cell("strip"), success=(0.1, 0.1), detection=0.9, rejected=0.01)]
    (row,) = rows(detector_table(summarise(lines))).values()
    assert (row["AUROC"], row["TPR at 1 %"], row["FRR"]) == (DASH, DASH, "1.0 %")


def test_what_a_defence_does_to_clean_networks_is_told_apart():
    clean = {"attack": NONE, "rate": 0.0}
    lines = [
        done(cell("anp", seed=0, **clean), accuracy=(0.95, 0.93)),
        done(cell("anp", seed=1, **clean), accuracy=(0.95, 0.89)),
        done(cell("fine-tuning", seed=0, **clean), accuracy=(0.95, 0.96)),
    ]
    found = rows(control_table(summarise(lines)))
    assert found["anp"]["fall of ACC"] == "4.0 % ± 2.8"
    assert (found["anp"]["worst fall"], found["anp"]["worst case"]) == ("6.0 %", "seed 1")
    assert found["fine-tuning"]["worst fall"] == "-1.0 %"
    assert found["fine-tuning"]["worst case"] == DASH


def test_time_and_memory_have_a_median_and_a_highest():
    lines = [
        done(cell("anp", seed=0), cost=(1.0, 700.0)),
        done(cell("anp", seed=1), cost=(4.0, 900.0)),
    ]
    table = expense_table(summarise(lines))
    assert table.rows == (("digits/small-cnn", "anp", "2.5", "4.0", "800", "900"),)
    (note,) = table.notes
    assert "what earlier tasks left in its process" in note


def test_failed_cells_are_listed_with_their_error():
    table = failure_table(summarise([failed(cell("strip", seed=2), "MemoryError", "no memory")]))
    assert table.rows == (
        ("digits/small-cnn", "badnets", "10 %", "strip", "2", "MemoryError", "no memory"),
    )


def test_a_table_without_rows_is_left_out(summary):
    titles = [table.title for table in bench_tables(summary)]
    assert titles == [
        "Leaderboard: all networks",
        "Leaderboard: digits/small-cnn",
        "Leaderboard: fashion-mnist/resnet-20",
        "Attack success",
        "Attacks",
        "Detectors",
        "Clean networks",
        "Cost",
        "Failed cells",
    ]
    only = [table.title for table in bench_tables(summarise([done(cell("anp"))]))]
    assert only == ["Leaderboard: digits/small-cnn", "Attack success", "Cost"]


def test_all_tables_fit_120_columns_and_cut_no_number(summary):
    for table in bench_tables(summary):
        shown = in_terminal(table, 120)
        assert max(map(len, shown.splitlines())) <= 120
        assert "…" not in shown
    lines = in_terminal(bench_tables(summary)[0], 120).splitlines()
    assert any("0 of 16" in line and "%" in line and "0.7" in line for line in lines)


def test_the_tables_are_markdown_too(summary):
    text = tables.as_markdown(bench_tables(summary)[0])
    assert "| anp | 0 of 16 |" in text
    assert text.count("\n|") == 8


def test_markdown_keeps_the_spreads_that_a_terminal_has_no_room_for():
    lines = [
        done(cell("anp", seed=seed), success=(1.0, left), accuracy=(0.95, accuracy))
        for seed, (left, accuracy) in enumerate([(0.3, 0.94), (0.1, 0.92)])
    ]
    text = tables.as_markdown(bench_tables(summarise(lines))[0])
    (row,) = [line for line in text.splitlines() if line.startswith("| anp |")]
    # ASR, ACC, its fall, RA = (1 - ASR) ACC and DER = (1 - ASR - fall + 1)/2.
    assert [one for one in row.split(" | ") if "±" in one] == [
        "20.0 % ± 14.1",
        "93.0 % ± 1.4",
        "2.0 % ± 1.4",
        "74.3 % ± 12.0",
        "0.890 ± 0.064",
    ]


def test_the_leaderboard_is_in_its_order(summary):
    found = [int(row[1].split(" of ")[0]) for row in bench_tables(summary)[0].rows]
    assert all(one <= other for one, other in pairwise(found))


@pytest.mark.parametrize(
    ("value", "shown"), [(0.1234, "12.3 %"), (1.0, "100.0 %"), (-0.0001, "0.0 %")]
)
def test_a_share_is_percent(value, shown):
    assert share(value) == shown


@pytest.mark.parametrize(("value", "shown"), [(0.1, "10 %"), (0.005, "0.5 %"), (0.07, "7 %")])
def test_a_poison_rate_has_as_many_digits_as_it_needs(value, shown):
    assert rate_name(value) == shown
