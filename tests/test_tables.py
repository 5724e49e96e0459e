"""Tables say what was measured, what was not, and what cannot be."""

from __future__ import annotations

import csv
import io

import pytest
from rich.console import Console

from badrepair import tables
from badrepair.tables import Table
from badrepair.types import AttackRow, CleanRow, Rate, Report

NINETY = Rate(0.9, 200, 0.8506, 0.9344)


def attack(name, *, detected=None, recovered=None, effectiveness=None):
    return AttackRow(
        name=name,
        attack_success_rate=Rate(0.0, 50, 0.0, 0.0713),
        detection_rate=detected,
        recovered_accuracy=recovered,
        defense_effectiveness=effectiveness,
    )


def report(*attacks, rejected=None):
    clean = CleanRow(accuracy=NINETY, false_rejection_rate=rejected)
    return Report(classes=10, clean=clean, attacks=attacks)


def cells(table, row=0):
    return dict(zip(table.columns, table.rows[row], strict=True))


def on_terminal(table, width):
    console = Console(width=width, file=io.StringIO(), color_system=None)
    console.print(tables.as_rich(table))
    return console.file.getvalue()


def test_a_rate_is_percent_with_its_interval():
    assert tables.rate_cell(NINETY) == "90.00 % [85.1, 93.4]"


def test_each_model_and_trigger_has_a_row():
    two = report(attack("patch"), attack("blend"))
    table = tables.evaluation_table([("before", two), ("after", two)])
    assert [row[:2] for row in table.rows] == [
        ("before", "patch"),
        ("before", "blend"),
        ("after", "patch"),
        ("after", "blend"),
    ]


def test_a_measured_zero_is_a_number():
    shown = cells(tables.evaluation_table([("m", report(attack("patch")))]))
    assert shown["attack success"] == "0.00 % [0.0, 7.1]"
    assert (shown["clean n"], shown["n"]) == ("200", "50")


def test_what_was_not_measured_says_so():
    shown = cells(tables.evaluation_table([("m", Report(classes=10, clean=None))]))
    assert shown["clean accuracy"] == "not measured"
    assert shown["attack success"] == "not measured"
    assert shown["recovered accuracy"] == "not measured"
    assert shown["DER"] == "\N{EN DASH}"
    assert shown["n"] == "0"


def test_a_model_without_class_n_cannot_reject():
    shown = cells(tables.evaluation_table([("m", report(attack("patch")))]))
    assert shown["false rejections"] == tables.NOT_APPLICABLE
    assert shown["detected"] == tables.NOT_APPLICABLE
    unpoisoned = cells(tables.evaluation_table([("m", report())]))
    assert unpoisoned["detected"] == tables.NOT_APPLICABLE


def test_a_guarded_model_shows_all_its_rates():
    row = attack("patch", detected=NINETY, recovered=Rate(0.5, 4, 0.15, 0.85), effectiveness=0.98)
    guarded = report(row, rejected=Rate(0.01, 200, 0.0027, 0.0357))
    shown = cells(tables.evaluation_table([("m", guarded)]))
    assert shown["false rejections"] == "1.00 % [0.3, 3.6]"
    assert shown["detected"] == "90.00 % [85.1, 93.4]"
    assert shown["recovered accuracy"] == "50.00 % [15.0, 85.0]"
    assert shown["DER"] == "98.00 %"


def test_the_overview_has_a_row_for_each_set_of_images():
    row = attack("patch", detected=NINETY, recovered=Rate(0.5, 4, 0.15, 0.85), effectiveness=0.98)
    table = tables.evaluation_overview([("m", report(row, rejected=Rate(0.01, 200, 0.0, 0.04)))])
    clean, poisoned = cells(table, 0), cells(table, 1)
    assert (clean["images"], clean["accuracy"]) == ("clean", "90.00 % [85.1, 93.4]")
    assert (clean["attack success"], clean["answered N"]) == (
        tables.NOT_APPLICABLE,
        "1.00 % [0.0, 4.0]",
    )
    assert (poisoned["images"], poisoned["accuracy"]) == ("patch", "50.00 % [15.0, 85.0]")
    assert (poisoned["answered N"], poisoned["DER"]) == ("90.00 % [85.1, 93.4]", "98.00 %")


@pytest.mark.parametrize("width", [80, 120])
def test_nothing_is_cut_off_at_80_and_120_columns(width):
    full = attack("sunglasses", detected=NINETY, recovered=NINETY, effectiveness=0.98)
    models = [("before", report(full, rejected=NINETY)), ("fine-tuned", report(attack("patch")))]
    lines = on_terminal(tables.evaluation_table(models), width)
    assert max(len(line.rstrip()) for line in lines.splitlines()) <= width
    assert "…" not in lines
    assert lines.count("[85.1, 93.4]") == 5
    assert lines.count("sunglasses") == 1
    assert lines.count("fine-tuned") == 1
    assert "98.00 %" in lines


def test_a_model_is_named_in_its_first_row_only():
    lines = on_terminal(tables.evaluation_table([("before", report(attack("patch")))]), 100)
    assert lines.count("before") == 1


def test_names_are_not_taken_for_markup_or_terminal_commands():
    named = report(attack("[red]\x1b[2Jx"))
    lines = on_terminal(tables.evaluation_table([("[bold]m[/]", named)]), 120)
    assert "[bold]m[/]" in lines
    assert "[red]" in lines
    assert "\x1b" not in lines


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@cmd", "\t=1"])
def test_csv_cells_are_not_formulas(name):
    text = tables.as_csv(Table("t", ("name", "n"), ((name, "1"),)))
    assert list(csv.reader(io.StringIO(text))) == [["name", "n"], [f"'{name}", "1"]]


def test_csv_keeps_commas_and_quotes():
    text = tables.as_csv(Table("t", ("a", "b"), (('x, "y"', "0.5 % [0, 1]"),)))
    assert list(csv.reader(io.StringIO(text)))[1] == ['x, "y"', "0.5 % [0, 1]"]


def test_csv_of_an_evaluation_has_one_column_a_rate():
    text = tables.as_csv(tables.evaluation_table([("m", report(attack("patch")))]))
    (row,) = csv.DictReader(io.StringIO(text))
    assert row["trigger"] == "patch"
    assert row["clean accuracy"] == "90.00 % [85.1, 93.4]"


def test_markdown_escapes_what_would_break_the_table():
    text = tables.as_markdown(Table("Title", ("a", "b"), (("x|y", "<b>*z*"),), ("A note.",)))
    assert text == (
        "**Title**\n\n| a | b |\n| --- | --- |\n| x\\|y | \\<b\\>\\*z\\* |\n\nA note.\n"
    )


def test_markdown_escapes_title_and_notes_and_keeps_them_in_their_lines():
    text = tables.as_markdown(Table("<b>\n# x", ("a",), (("---",),), ("* <i>\u2028\n|y [z](w)",)))
    title, _, *lines, _, note = text.splitlines()
    assert title == "**\\<b\\>\N{REPLACEMENT CHARACTER}# x**"
    assert lines == ["| a |", "| --- |", "| --- |"]
    odd = 2 * "\N{REPLACEMENT CHARACTER}"
    assert note == f"\\* \\<i\\>{odd}\\|y \\[z\\](w)"


def test_titles_and_headings_send_a_terminal_no_commands():
    table = Table("\x1b[2Jt", ("\x1b[2Ja",), (("x",),), ("\x1b[2Jn",))
    assert "\x1b" not in on_terminal(table, 80)


def test_a_row_of_the_wrong_length_is_refused():
    with pytest.raises(ValueError, match="1 cells under 2 columns"):
        Table("t", ("a", "b"), (("x",),))
