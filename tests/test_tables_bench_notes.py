"""Below a leaderboard stands, by name, what its columns do not tell."""

from __future__ import annotations

import bench_lines
from bench_lines import NONE, cell, done, failed

from badrepair.bench.summary import summarise
from badrepair.tables.bench_leaderboard import leaderboard_table


def notes(lines, planned=()):
    made = summarise(lines, planned)
    return leaderboard_table(made, made.scopes[0]).notes


def test_attacks_that_never_worked_are_named():
    lines = [
        done(cell(NONE, attack="badnets"), success=(1.0, 1.0)),
        done(cell(NONE, attack="wanet", rate=0.005), success=(0.15, 0.15)),
    ]
    assert (
        "1 of 2 attacks never worked, with a mean ASR of 20 % or less without a defence:"
        " wanet 0.5 %." in notes(lines)
    )


def test_many_attacks_that_never_worked_are_counted_beside_the_first():
    lines = [done(cell(NONE, attack=f"a{index}"), success=(0.0, 0.0)) for index in range(8)]
    (note,) = [one for one in notes(lines) if "never worked" in one]
    assert note.endswith("a4 10 %; a5 10 %; and 2 more.")


def test_cells_without_a_result_are_counted():
    planned = [cell(NONE), cell("strip"), cell("anp")]
    assert (
        "1 of 3 cells: 1 failed and 1 are missing; a mean is over those that are there."
        in notes([done(cell(NONE)), failed(cell("strip"))], planned)
    )


def test_attacks_that_a_defence_makes_work_are_named_with_it():
    lines = [
        done(cell("anp", attack="wanet", rate=0.01), success=(0.05, 0.6)),
        done(cell("strip", attack="wanet", rate=0.01), success=(0.05, 0.05)),
        done(cell("anp", attack="badnets"), success=(1.0, 0.9)),
    ]
    assert (
        "1 case of an attack made to work, with a mean ASR of 20 % or less without a defence and"
        " more with it; not among the attacks left: anp: wanet 1 % (60.0 %)." in notes(lines)
    )
    assert not [one for one in notes(lines[1:]) if "made to work" in one]


def lowered(**more):
    return [
        done(cell(NONE, attack=NONE, rate=0.0, **more), accuracy=(0.65, 0.65)),
        done(cell(NONE, attack="input-aware", **more), accuracy=(0.1, 0.1)),
        done(cell(NONE, attack="badnets", **more), accuracy=(0.64, 0.64)),
    ]


def test_attacks_that_lower_clean_accuracy_are_named_with_the_drop():
    assert (
        "1 of 2 attacks with a clean accuracy drop of more than 2 points: without a defence, the"
        " network answers so much fewer clean images right than its clean control; one that"
        " answers anything with the target counts as an attack that works. They stay in the"
        " numbers: input-aware 10 % (55.0 points)." in notes(lowered())
    )


def test_where_there_is_no_control_yet_no_drop_is_told():
    assert not [one for one in notes(lowered()[1:]) if "drop" in one]


def test_over_several_networks_the_drop_names_its_network():
    lines = [*lowered(), done(cell(network=bench_lines.NETWORKS[1]))]
    (note,) = [one for one in notes(lines) if "drop" in one]
    assert note.endswith(": digits/small-cnn, input-aware 10 % (55.0 points).")
