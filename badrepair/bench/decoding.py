"""Plain values that anybody may have written, as dataclasses of the types that these declare."""

import dataclasses
import math
from itertools import pairwise
from types import NoneType, UnionType
from typing import (
    Any,
    Literal,
    NoReturn,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from badrepair.types import Estimate, Rate

Decoded = TypeVar("Decoded")
# An end of an interval is worked out apart from its middle.
ROUNDING = 1e-9


def decoded(kind: type[Decoded], value: object) -> Decoded:
    """Return the dataclass that plain values describe, and all that stands inside it.

    What is not a field of it is left out; a field that may be None may be absent.

    Args:
        kind: Its fields are str, int, float, dict, a Literal, such a class, a tuple of any number
            of one of these, or one of these or None.
        value: What was read from JSON.

    Raises:
        ValueError: They describe none; the text says what was expected, and where.
    """
    return cast("Decoded", _decoded(kind, value, ""))


def _decoded(kind: Any, value: object, where: str) -> Any:
    """Return a value of a type (Any: a union or a tuple of types is no class)."""
    origin, arguments = get_origin(kind), get_args(kind)
    if dataclasses.is_dataclass(kind):
        return _object(kind, value, where)
    if origin in (Union, UnionType):
        (needed,) = (one for one in arguments if one is not NoneType)
        return None if value is None else _decoded(needed, value, where)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            _refuse("a list", value, where)
        return tuple(_decoded(arguments[0], one, f"{where}[{i}]") for i, one in enumerate(value))
    if origin is Literal:
        if not any(value == one and type(value) is type(one) for one in arguments):
            _refuse(f"one of {', '.join(map(str, arguments))}", value, where)
        return value
    return _plain(origin or kind, value, where)


def _object(kind: Any, value: object, where: str) -> Any:
    if not isinstance(value, dict):
        _refuse("an object", value, where or "line")
    hints = get_type_hints(kind)
    fields = {
        field.name: _decoded(
            hints[field.name], value.get(field.name), f"{where}.{field.name}".lstrip(".")
        )
        for field in dataclasses.fields(kind)
    }
    try:
        made = kind(**fields)
    except ValueError as error:
        raise ValueError(f"at `{where or 'line'}`: {error}") from error
    if isinstance(made, Rate | Estimate) and not _in_order(made):
        _refuse("numbers 0 <= low <= value <= high <= 1", value, where)
    return made


def _in_order(made: Rate | Estimate) -> bool:
    """Return whether a number lies in its interval, and that in [0, 1]."""
    ends = (0.0, made.low, made.value, made.high, 1.0)
    return all(low <= high + ROUNDING for low, high in pairwise(ends))


def _plain(kind: Any, value: object, where: str) -> Any:
    names = {str: "a text", int: "a whole number", float: "a number", dict: "an object"}
    fits = type(value) is kind or (kind is float and type(value) is int)
    if not fits:
        _refuse(names[kind], value, where)
    return _finite(cast("float", value), where) if kind is float else value


def _finite(value: float, where: str) -> float:
    try:
        number = float(value)
    except OverflowError:  # whole numbers know no end
        number = math.inf
    if not math.isfinite(number):
        _refuse("a finite number", value, where)
    return number


def _refuse(expected: str, value: object, where: str) -> NoReturn:
    raise ValueError(f"expected {expected} at `{where}`, found {_told(value)}")


def _told(value: object) -> str:
    """Return a few words about a value, short whatever it is."""
    if isinstance(value, str | int | float | None):
        return ascii(value)[:60]
    return f"a {type(value).__name__}"
