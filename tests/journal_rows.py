"""Rows of a screening that nobody made, for the tests of what keeps them."""

from __future__ import annotations

from badrepair.data.unlabelled import Fault
from badrepair.journal import Row

# A name with all that breaks lines, cells and encodings.
WILD = '=a/\n\r\x1b[31m\u2028\\\udcff\N{SNOWMAN},".png'


def row(index, path="", **changes):
    """Return the row of an image that can be read, every seventh of them flagged."""
    known = {
        "verdict": "poisoned" if index % 7 == 3 else "clean",
        "entropy": index / 3,
        "overlays_used": 4 + index % 3,
        "p_value": 1 / (index + 1),
        "answer": index % 10,
    }
    return Row(index=index, path=path, **{**known, **changes})


def unreadable(index, path=""):
    """Return the row of an image that cannot be read."""
    fault = Fault("Corrupt", "the picture cannot be decoded")
    return Row(index=index, path=path, verdict="unreadable", fault=fault)
