"""One row of a screening: what was found of one image."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

from badrepair.data.unlabelled import Fault

Verdict = Literal["clean", "poisoned", "unreadable"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
# What a reader of the output sees, in this order.
COLUMNS = ("index", "path", "entropy", "overlays_used", "p_value", "verdict", "class")
LONGEST_TEXT = 8192


@dataclass(frozen=True, kw_only=True)
class Row:
    """What was found of one image.

    Args:
        index: Its number in the stream, from 0 on.
        path: Its file's name, from the folder on, as the system knows it; empty for arrays.
        verdict: Whether it is clean, poisoned, or cannot be read: then the numbers are None.
        entropy: Of its mixes in bits, on average; foretold where the decision came early.
        overlays_used: How many overlays were looked at.
        p_value: Chance that a clean image looks as suspicious or more, in (0, 1].
        answer: Class that the unguarded network answers.
        fault: Why it cannot be read; None for all others.
    """

    index: int
    path: str
    verdict: Verdict
    entropy: float | None = None
    overlays_used: int | None = None
    p_value: float | None = None
    answer: int | None = None
    fault: Fault | None = None

    def cells(self) -> tuple[Any, ...]:
        """Return the values under `COLUMNS`; a path is told so that it fits into one line."""
        numbers = (self.entropy, self.overlays_used, self.p_value)
        return (self.index, printable(self.path), *numbers, self.verdict, self.answer)

    def to_json(self) -> list[Any]:
        """Return the row as plain values."""
        numbers = (self.entropy, self.overlays_used, self.p_value, self.answer)
        fault = ("", "") if self.fault is None else (self.fault.code, self.fault.problem)
        return [self.index, self.path, self.verdict, *numbers, *fault]

    @classmethod
    def from_json(cls, value: object, index: int) -> Row:
        """Return the row that plain values describe.

        Args:
            value: What `to_json` returned.
            index: The number that it must have.

        Raises:
            ValueError: They describe none, or another one.
        """
        if not isinstance(value, list) or len(value) != 9 or value[0] != index:
            raise ValueError(f"no row {index}")
        _, path, verdict, *numbers, code, problem = value
        if not all(isinstance(text, str) and len(text) <= LONGEST_TEXT for text in value[-2:]):
            raise ValueError(f"row {index} with a fault that is none")
        if not isinstance(path, str) or len(path) > LONGEST_TEXT or verdict not in VERDICTS:
            raise ValueError(f"row {index} with a path or a verdict that is none")
        fits = [number is None for number in numbers]
        if verdict != "unreadable":
            fits = list(map(_fits, numbers, (float, int, float, int)))
        if not all(fits) or bool(code) != (verdict == "unreadable"):
            raise ValueError(f"row {index} with numbers that do not fit its verdict")
        entropy, overlays_used, p_value, answer = numbers
        return cls(
            index=index,
            path=path,
            verdict=verdict,
            entropy=entropy,
            overlays_used=overlays_used,
            p_value=p_value,
            answer=answer,
            fault=Fault(code, problem) if code else None,
        )


def printable(path: str) -> str:
    """Return a path with backslash escapes for what cannot stand in a line of UTF-8.

    These are control characters, bytes that are no UTF-8, and the backslash itself: so the path
    can be got back, in Python by `text.encode("latin-1", "backslashreplace").decode(
    "unicode_escape")`.
    """
    return "".join(c if c.isprintable() and c != "\\" else _escaped(c) for c in path)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def _fits(number: object, kind: type) -> bool:
    return type(number) is kind and math.isfinite(number) and number >= 0  # type: ignore[operator, arg-type]
