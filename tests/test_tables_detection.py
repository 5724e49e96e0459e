"""The table of detectors says what each one sees, and fits into a terminal."""

from __future__ import annotations

import csv
import io

import pytest
from rich.console import Console

from badrepair import tables
from badrepair.types import DetectionRow, Estimate, Rate

FEW, MANY = Rate(0.005, 397, 0.0014, 0.0182), Rate(0.0302, 397, 0.0173, 0.0521)
STRIP, BOTH = {"STRIP": FEW}, {"STRIP": FEW, "max-softmax": MANY}
MISSED = Rate(0.04, 357, 0.011, 0.135)
CAUGHT, MORE = Rate(0.9, 357, 0.8506, 0.9344), Rate(0.95, 357, 0.92, 0.97)


def row(name="patch", detector="STRIP", **changes):
    values = {
        "name": name,
        "detector": detector,
        "false_rejection_rate": FEW if detector == "STRIP" else MANY,
        "false_acceptance_rate": MISSED,
        "false_acceptance_rate_of_successful": None,
        "true_positive_rate_at_1": CAUGHT,
        "true_positive_rate_at_5": MORE,
        "auroc": Estimate(0.91234, 0.8701, 0.9499),
    }
    return DetectionRow(**{**values, **changes})


def cells(table, index=0):
    return dict(zip(table.columns, table.rows[index], strict=True))


def on_terminal(table, width=80):
    console = Console(width=width, file=io.StringIO(), color_system=None)
    console.print(tables.as_rich(table, width))
    return console.file.getvalue()


def test_a_row_says_what_a_detector_sees_of_a_trigger():
    assert cells(tables.detection_table(STRIP, [row()])) == {
        "detector": "STRIP",
        "trigger": "patch",
        "FRR": "0.50 % [0.1, 1.8]",
        "FAR": "4.00 % [1.1, 13.5]",
        "FAR, attack works": "not measured",
        "TPR at 1 % FRR": "90.00 % [85.1, 93.4]",
        "TPR at 5 % FRR": "95.00 % [92.0, 97.0]",
        "AUROC": "0.912 [0.870, 0.950]",
        "n": "357",
    }


def test_the_floor_has_its_own_false_rejections_and_is_named_as_the_floor():
    table = tables.detection_table(BOTH, [row(), row(detector="max-softmax")])
    assert [line[:3] for line in table.rows] == [
        ("STRIP", "patch", "0.50 % [0.1, 1.8]"),
        ("max-softmax", "patch", "3.02 % [1.7, 5.2]"),
    ]
    role = "max-softmax is the floor: a simple detector that STRIP should be better than."
    assert role in table.notes
    assert not any("floor" in note for note in tables.detection_table(STRIP, [row()]).notes)


def test_the_notes_explain_every_abbreviation():
    notes = " ".join(tables.detection_table(BOTH, [row()]).notes)
    for word in ("FRR:", "FAR:", "TPR at 1 % FRR:", "AUROC:", "[low, high]"):
        assert word in notes


def test_without_poisoned_images_the_false_rejections_still_show():
    table = tables.detection_table(BOTH, [])
    assert table.rows == (
        ("STRIP", "no poisoned set", "0.50 % [0.1, 1.8]", *["not measured"] * 5, "0"),
        ("max-softmax", "no poisoned set", "3.02 % [1.7, 5.2]", *["not measured"] * 5, "0"),
    )
    shown = on_terminal(table)
    assert "0.50 % [0.1, 1.8]" in shown
    assert "no poisoned set" in shown


def test_what_was_not_measured_at_all_says_so():
    (line,) = tables.detection_table({"STRIP": None}, []).rows
    assert line == ("STRIP", "no poisoned set", *["not measured"] * 6, "0")


def test_in_a_terminal_the_detectors_stand_beside_each_other_measure_by_measure():
    rows = [
        row(),
        row(detector="max-softmax", auroc=None),
        row("blend"),
        row("blend", "max-softmax"),
    ]
    table = tables.detection_table(BOTH, rows).in_terminal
    assert table.columns == ("images", "measure", "STRIP", "max-softmax")
    assert table.rows[:3] == (
        ("clean", "FRR", "0.50 % [0.1, 1.8]", "3.02 % [1.7, 5.2]"),
        ("clean", "n", "397", "397"),
        ("patch", "FAR", "4.00 % [1.1, 13.5]", "4.00 % [1.1, 13.5]"),
    )
    assert table.rows[6] == ("patch", "AUROC", "0.912 [0.870, 0.950]", "not measured")
    assert [line[0] for line in table.rows] == ["clean"] * 2 + ["patch"] * 6 + ["blend"] * 6


def test_a_detector_that_did_not_see_a_set_has_not_measured_it():
    table = tables.detection_table(BOTH, [row()]).in_terminal
    assert table.rows[2] == ("patch", "FAR", "4.00 % [1.1, 13.5]", "not measured")
    assert table.rows[-1] == ("patch", "n", "357", "0")


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("name", ["patch", "a trigger with quite a long name of its own"])
def test_nothing_is_cut_off_in_a_terminal(width, name):
    whole = Rate(1.0, 10264, 0.9996, 1.0)
    perfect = {"false_acceptance_rate": whole, "auroc": Estimate(1.0, 0.9991, 1.0)}
    rows = [row(name, **perfect), row(name, "max-softmax", **perfect)]
    shown = on_terminal(tables.detection_table(BOTH, rows), width)
    assert max(len(line.rstrip()) for line in shown.splitlines()) <= width
    assert "…" not in shown
    assert shown.count("100.00 %") == shown.count("[100.0, 100.0]") == 2
    assert shown.count("1.000") == 4
    assert shown.count("[0.999, 1.000]") == 2
    assert shown.count("TPR at 5 % FRR") >= 1


def test_csv_has_one_column_a_number():
    text = tables.as_csv(tables.detection_table(BOTH, [row(), row(detector="max-softmax")]))
    lines = list(csv.DictReader(io.StringIO(text)))
    assert [line["detector"] for line in lines] == ["STRIP", "max-softmax"]
    assert lines[0]["AUROC"] == "0.912 [0.870, 0.950]"


def test_a_name_that_ends_like_an_interval_keeps_its_space():
    rows = [row("a long name [a, b]"), row("a long name [a, b]", "max-softmax")]
    shown = on_terminal(tables.detection_table(BOTH, rows), 80)
    assert "a long name [a, b]" in shown
    assert "4.00 % [1.1" not in shown, "the intervals should stand in a line of their own"
