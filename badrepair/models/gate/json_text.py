"""Read the JSON of a model file: strictly, and nothing deep, long or large."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from badrepair import strict_json
from badrepair.errors import ModelError
from badrepair.strict_json import TooDeepError, levels

if TYPE_CHECKING:
    from collections.abc import Iterable

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
        value = strict_json.parsed(text)
    except TooDeepError as error:
        raise ModelError("LimitExceeded", where, "its JSON is nested too deep") from error
    except ValueError as error:
        raise ModelError("ConfigInvalid", where, f"its JSON is broken: {error}") from error
    _check_size(value, where)
    return value


def too_large(where: str) -> ModelError:
    """Return the error that says that a JSON text is too long."""
    return ModelError("ConfigTooLarge", where, f"its JSON is over {MOST_BYTES:,} bytes")


def _check_size(value: Any, where: str) -> None:
    count = 0
    for depth, level in enumerate(levels(value)):
        count += len(level)
        if depth == DEPTH:
            problem = f"the config is nested more than {DEPTH} deep"
            raise ModelError("LimitExceeded", where, problem)
        if count > NODES:
            raise ModelError("LimitExceeded", where, f"the config has over {NODES:,} entries")
        if any(len(text) > TEXT for one in level for text in _texts(one)):
            raise ModelError("LimitExceeded", where, f"a text is longer than {TEXT:,} characters")


def _texts(value: Any) -> Iterable[str]:
    """Return a text, or the keys of an object."""
    if isinstance(value, str):
        return [value]
    return value if isinstance(value, dict) else []
