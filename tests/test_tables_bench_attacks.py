"""The table of attacks says how well each works, and what it costs, where nobody defends."""

from __future__ import annotations

from bench_lines import NONE, cell, done, failed

from badrepair.bench.summary import summarise
from badrepair.tables.bench_attacks import UNDEFENDED, attack_table
from badrepair.tables.table import NOT_APPLICABLE as DASH


def control(seed, accuracy):
    known = cell(NONE, attack=NONE, rate=0.0, seed=seed)
    return done(known, accuracy=(accuracy, accuracy))


def attacked(seed, accuracy, success):
    known = cell(NONE, seed=seed)
    return done(known, accuracy=(accuracy, accuracy), success=(success, success))


def test_a_row_has_the_network_as_it_is_beside_the_clean_control():
    assert UNDEFENDED == NONE
    lines = [
        *(control(seed, 0.96) for seed in (0, 1)),
        *(
            attacked(seed, accuracy, success)
            for seed, accuracy, success in ((0, 0.95, 1.0), (1, 0.93, 0.8))
        ),
        # What a defence makes of it is another matter.
        done(cell("anp"), accuracy=(0.95, 0.5), success=(1.0, 0.1)),
    ]
    (row,) = attack_table(summarise(lines)).rows
    # Means 94 and 90 %, deviations sqrt(2) and sqrt(200); two points below the control's 96 %.
    network, attack, rate, *numbers = row
    assert (network, attack, rate) == ("digits/small-cnn", "badnets", "10 %")
    assert numbers == ["94.0 % ± 1.4", "2.0 %", "90.0 % ± 14.1", "80.0 %", "2"]


def test_without_a_control_nothing_is_said_of_the_difference():
    (row,) = attack_table(summarise([attacked(0, 0.95, 1.0)])).rows
    assert row[4] == DASH


def test_a_network_that_failed_is_no_zero():
    (row,) = attack_table(summarise([failed(cell(NONE))])).rows
    assert row[3:] == ("failed", DASH, "failed", DASH, "0")


def test_a_grid_without_the_network_as_it_is_has_no_row():
    assert not attack_table(summarise([done(cell("anp"))])).rows
