"""Read JSON from anybody: no key twice, no number but JSON's, nothing deep, long or large."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, NoReturn

from badrepair.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MOST_BYTES = 32 * 2**20
DEPTH = 40
NODES = 300_000
TEXT = 4096


def parsed(text: bytes, where: str) -> Any:
    """Return what a JSON text says (Any, since that is whatever the file holds).

    Raises:
        ModelError: ConfigTooLarge, ConfigInvalid or LimitExceeded.
    """
    if len(text) > MOST_BYTES:
        raise too_large(where)
    try:
        value = json.loads(
            text, object_pairs_hook=_once, parse_constant=_refuse, parse_float=_finite
        )
    except RecursionError as error:
        raise ModelError("LimitExceeded", where, "its JSON is nested too deep") from error
    except ValueError as error:
        raise ModelError("ConfigInvalid", where, f"its JSON is broken: {error}") from error
    _check_size(value, where)
    return value


def too_large(where: str) -> ModelError:
    """Return the error that says that a JSON text is too long."""
    return ModelError("ConfigTooLarge", where, f"its JSON is over {MOST_BYTES:,} bytes")


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {ascii(twice)[:80]} stands twice in one object")
    return found


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"the number {digits[:20]} is too large")
    return number


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _check_size(value: Any, where: str) -> None:
    level, count = [value], 0
    for _ in range(DEPTH):
        count += len(level)
        if any(len(text) > TEXT for one in level for text in _texts(one)):
            raise ModelError("LimitExceeded", where, f"a text is longer than {TEXT:,} characters")
        level = [child for one in level for child in _children(one)]
        if not level:
            return
        if count + len(level) > NODES:
            raise ModelError("LimitExceeded", where, f"the config has over {NODES:,} entries")
    raise ModelError("LimitExceeded", where, f"the config is nested more than {DEPTH} deep")


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        return [value]
    return value if isinstance(value, dict) else []


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
