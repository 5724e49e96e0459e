"""A line says what was measured in a cell, and is refused where it does not."""

from __future__ import annotations

import copy
import json

import bench_lines
import pytest

from badrepair.bench.line import Line
from badrepair.errors import DataError
from badrepair.strict_json import parsed


def written(line):
    """Return the plain values of a line after a journey through JSON."""
    return parsed(json.dumps(line.to_json()))


def detector_line():
    cell = bench_lines.cell("strip", attack="two-triggers")
    return bench_lines.done(cell, triggers=("one", "two"), detection=0.9, rejected=0.01)


def test_lines_of_every_kind_come_back_from_json_as_they_were():
    lines = bench_lines.realistic()
    assert {line.kind for line in lines} == {"none", "repair", "detector"}
    assert {line.status for line in lines} == {"done", "failed"}
    assert [Line.from_json(written(line)) for line in lines] == lines


def test_the_names_in_a_line_are_those_of_its_schema():
    line = written(detector_line())
    assert " ".join(line) == (
        "schema key cell net kind status error before after detection choices fingerprint cost"
    )
    assert list(line["cell"]) == [
        "data",
        "architecture",
        "attack",
        "poison_rate",
        "defense",
        "seed",
    ]
    assert list(line["after"]) == ["accuracy", "false_rejection_rate", "attacks"]
    assert list(line["before"]["attacks"][0]) == [
        "name",
        "attack_success_rate",
        "recovered_accuracy",
    ]
    assert line["after"]["attacks"][1]["name"] == "two"
    assert line["detection"]["attacks"][0]["auroc"]["value"] == 0.9


def test_what_a_line_has_beside_its_schema_is_left_out():
    more = written(detector_line())
    more["added"] = 1
    more["cost"]["machine"] = "fast"
    assert Line.from_json(more) == detector_line()


def test_a_failed_line_may_lack_all_that_was_not_measured():
    failed = written(bench_lines.failed(bench_lines.cell("strip")))
    lean = {name: value for name, value in failed.items() if value is not None}
    del lean["kind"]
    line = Line.from_json(lean)
    assert (line.kind, line.after, line.error.code) == (None, None, "TooFewImages")


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        (("schema",), 2, "expected one of 1 at `schema`, found 2"),
        (("schema",), True, "expected one of 1 at `schema`, found True"),
        (("key",), 7, "expected a text at `key`, found 7"),
        (("kind",), "guess", "expected one of none, repair, detector at `kind`, found 'guess'"),
        (("cell", "seed"), 1.5, "expected a whole number at `cell.seed`, found 1.5"),
        (("cell", "seed"), True, "expected a whole number at `cell.seed`, found True"),
        (("cell", "poison_rate"), 1.5, "expected a poison rate in [0, 1], found 1.5"),
        (("cell", "attack"), None, "expected a text at `cell.attack`, found None"),
        (("after", "attacks"), {}, "expected a list at `after.attacks`, found a dict"),
        (("after", "accuracy"), [1], "expected an object at `after.accuracy`, found a list"),
        (("after", "accuracy", "value"), "1", "a number at `after.accuracy.value`, found '1'"),
        (("after", "accuracy", "high"), 1.1, "0 <= low <= value <= high <= 1 at `after.accuracy`"),
        (("after", "accuracy", "value"), 10**400, "expected a finite number"),
        (
            ("detection", "attacks", 1, "auroc", "low"),
            0.95,
            "0 <= low <= value <= high <= 1 at `detection.attacks[1].auroc`",
        ),
        (("cost", "seconds"), None, "expected a number at `cost.seconds`, found None"),
        (("after",), None, "expected `kind`, `before` and `after` in a line that is done"),
        (("status",), "failed", "expected an error in a failed line only, found failed"),
    ],
)
def test_a_value_that_makes_no_sense_is_named_with_its_place(path, value, problem):
    line = copy.deepcopy(written(detector_line()))
    place = line
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    with pytest.raises(DataError, match=r"cells\.jsonl, line 3") as caught:
        Line.from_json(line, "cells.jsonl, line 3")
    assert caught.value.code == "LineInvalid"
    assert problem in caught.value.problem
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [None, [], "line", 3])
def test_what_is_no_object_is_no_line(value):
    with pytest.raises(DataError, match="expected an object at `line`"):
        Line.from_json(value)
