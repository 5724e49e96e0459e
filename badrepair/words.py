"""Numbers and names as they stand in sentences, the same everywhere."""

from __future__ import annotations

MOST_NAMED = 3


def percent(share: float) -> str:
    """Return a share in [0, 1] as `95.00 %`."""
    return f"{100 * share:.2f} %"


def counted(number: int, noun: str) -> str:
    """Return `1 image`, `2 images`; the noun is of those that take an s."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def listed(names: list[str], noun: str) -> str:
    """Return the names if they are few, else how many there are."""
    return ", ".join(names) if len(names) <= MOST_NAMED else counted(len(names), noun)


def printable(text: str) -> str:
    """Return a text in which what does not print is escaped: a file's words may hold such."""
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)
