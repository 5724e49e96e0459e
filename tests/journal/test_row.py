"""A row goes into a line and comes back, whatever its file is called."""

from __future__ import annotations

import json
import os

import pytest
from journal_rows import WILD, row, unreadable

from badrepair.journal import COLUMNS, Row, printable

NAMES = ["", "a.png", "ä/ö ü.png", WILD, os.fsdecode(bytes(range(1, 256)).replace(b"/", b""))]


@pytest.mark.parametrize("name", NAMES)
def test_it_comes_back_from_a_line_to_the_last_bit(name):
    for one in (row(5, name, entropy=0.1 + 0.2), unreadable(5, name)):
        line = json.dumps(one.to_json())
        assert line.isascii()
        assert "\n" not in line
        assert Row.from_json(json.loads(line), 5) == one


def test_its_cells_stand_under_the_columns():
    names = "index path entropy overlays_used p_value verdict class"
    assert " ".join(COLUMNS) == names
    seen = row(3, "a.png", entropy=0.5, overlays_used=6, p_value=0.25, answer=7)
    assert seen.cells() == (3, "a.png", 0.5, 6, 0.25, "poisoned", 7)
    assert unreadable(4, "b.png").cells() == (4, "b.png", None, None, None, "unreadable", None)


@pytest.mark.parametrize("name", NAMES)
def test_a_path_is_told_in_one_line_of_utf8_from_which_it_can_be_got_back(name):
    text = printable(name)
    assert text.isprintable()
    assert len(text.splitlines()) <= 1
    again = text.encode("latin-1", "backslashreplace").decode("unicode_escape")
    assert again == name


def test_a_common_path_stays_as_it_is():
    assert printable("photos/été 2024 (1).JPG") == "photos/été 2024 (1).JPG"
    assert printable("a\\n") != printable("a\n")


SOUND = row(5, "a.png").to_json()


def changed(place, value):
    return [*SOUND[:place], value, *SOUND[place + 1 :]]


@pytest.mark.parametrize(
    "value",
    [
        *(None, {}, "row", [], SOUND[:-1], [*SOUND, ""]),
        *(changed(0, 4), changed(0, "5"), changed(0, None)),
        *(changed(1, None), changed(1, "x" * 10_000), changed(2, "fine"), changed(2, [])),
        *(changed(3, None), changed(3, -0.5), changed(3, "0.5"), changed(3, 1)),
        *(changed(4, 4.0), changed(4, -1), changed(4, True), changed(5, None)),
        *(changed(6, 1.5), changed(7, "Corrupt"), changed(7, 3), changed(8, "x" * 10_000)),
        changed(2, "unreadable"),
        [5, "a.png", "unreadable", None, None, None, None, "", ""],
        [5, "a.png", "unreadable", None, None, None, 3, "Corrupt", ""],
    ],
)
def test_what_is_no_row_is_refused(value):
    assert Row.from_json(SOUND, 5) == row(5, "a.png")
    with pytest.raises(ValueError, match="row 5"):
        Row.from_json(value, 5)
