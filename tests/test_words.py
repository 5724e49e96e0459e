"""Names from files stand in sentences without steering a terminal."""

from __future__ import annotations

import pytest

from badrepair.words import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("conv_1 ä 層", "conv_1 ä 層"),
        ("\x1b]8;;evil\x07", r"\x1b]8;;evil\x07"),
        ("a\tb\r\n", r"a\tb\r\n"),
        ("\u202e\u2066\ud800", r"\u202e\u2066\ud800"),
    ],
)
def test_what_does_not_print_is_escaped(text, shown):
    assert printable(text) == shown
