"""What a screening found is said in a table, in sentences and as a gate."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from journal_rows import row, unreadable

from badrepair.cli import screened
from badrepair.drift import DriftMonitor
from badrepair.screening import Tally


@dataclass(frozen=True)
class Promise:
    """All that the sentences need of a detector."""

    frr: float = 0.01


def tally(*rows, expected=0.0123):
    found = Tally(DriftMonitor(expected))
    for one in rows:
        found.count(one)
    return found


MIXED = (
    row(0, verdict="clean", overlays_used=4),
    unreadable(1, "a\n.png"),
    row(2, verdict="poisoned", overlays_used=20),
)


def test_the_table_counts_all_images_and_rates_those_that_can_be_read():
    table = screened.table(tally(*MIXED), 123.4)
    assert dict(zip(table.columns, table.rows[0], strict=True)) == {
        "images": "3",
        "flagged": "1",
        "share flagged": "50.00 % [9.5, 90.5]",
        "unreadable": "1",
        "overlays": "12.0",
        "images a second": "123",
    }


def test_what_was_not_measured_is_not_told_as_a_number():
    table = screened.table(tally(unreadable(0)), None)
    dash = "\N{EN DASH}"
    assert table.rows == (("1", "0", "not measured", "1", dash, dash),)


def test_the_sentences_say_what_to_expect_and_what_cannot_be_read():
    said = screened.sentences(tally(*MIXED), Promise())
    assert said == [
        "of clean images like those that calibrated, the detector flags at most 1.23 % (95 %"
        " confidence); it was made for 1.00 %",
        "1 image cannot be read (Corrupt), such as a\\n.png: the picture cannot be decoded",
    ]


def test_an_image_without_a_name_is_told_by_its_row():
    assert "such as row 0" in screened.sentences(tally(unreadable(0)), Promise())[1]


def test_a_drift_is_the_last_sentence():
    found = tally(*(row(index, verdict="poisoned") for index in range(20)))
    last = screened.sentences(found, Promise())[-1]
    assert last.startswith("warning: since row 0 the guard flags 100 % of the stream")


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ((), []),
        (MIXED[:1], []),
        (MIXED, ["1 image flagged", "1 image unreadable"]),
        ((MIXED[2], row(3, verdict="poisoned")), ["2 images flagged"]),
    ],
)
def test_the_gate_fails_by_what_was_found(rows, expected):
    assert screened.findings(tally(*rows)) == expected
