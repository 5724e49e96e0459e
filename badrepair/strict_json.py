"""Read JSON from anybody: no key stands twice, and no number is NaN or infinite.

Standard library only.
"""

from __future__ import annotations

import json
import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class TooDeepError(ValueError):
    """The text is nested deeper than can be followed."""


def parsed(text: bytes | str) -> Any:
    """Return what a JSON text says (Any, since that is whatever was written).

    Raises:
        TooDeepError: It is nested too deep to be read.
        ValueError: It is no JSON, or says one thing twice.
    """
    try:
        return json.loads(
            text, object_pairs_hook=_once, parse_constant=_refuse, parse_float=_finite
        )
    except RecursionError as error:
        raise TooDeepError("it is nested too deep") from error


def levels(value: Any) -> Iterator[list[Any]]:
    """Yield the value, then what stands in it, then what stands in that, and so on."""
    level = [value]
    while level:
        yield level
        level = [child for one in level for child in _children(one)]


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        # In order, equal names are neighbours: counting each would take the square of their number.
        names = sorted(name for name, _ in pairs)
        twice = next(one for one, other in pairwise(names) if one == other)
        raise ValueError(f"the key {ascii(twice)[:80]} stands twice in one object")
    return found


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{digits[:40]} is too large a number")
    return number
