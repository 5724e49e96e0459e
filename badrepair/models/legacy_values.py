"""The small things in a layer's description: types, tuples, initializers and their kin."""

from __future__ import annotations

import inspect
from functools import cache
from typing import Any

import keras

# JSON from a file can be anything, hence Any.
Entry = dict[str, Any]

RENAMED_STRINGS = {
    ("activation", "softmax_v2"): "softmax",
    ("distribution", "normal"): "truncated_normal",
}
# By the ending of the key, where in Keras the object is found.
SMALL_OBJECTS = {
    "initializer": "initializers",
    "regularizer": "regularizers",
    "constraint": "constraints",
}


def described(module: str, name: str, config: Entry) -> Entry:
    """Return what Keras 3 builds an object of its own from."""
    return {"module": module, "class_name": name, "config": config, "registered_name": None}


def home(entry: Entry) -> Entry:
    """Return what a class lacks in a file that does not say where its classes are: no `.h5` does.

    Without a module Keras would look for it as it once did, and in more places.
    """
    is_layer = isinstance(getattr(keras.layers, str(entry["class_name"]), None), type)
    return {"module": "keras.layers" if is_layer else None}


def small_object(entry: Entry, home: str) -> Entry:
    """Return an initializer, regularizer or constraint with the keys that Keras 3 knows."""
    name = entry["class_name"]
    accepted = parameters(getattr(getattr(keras, home), name))
    config = {
        key: RENAMED_STRINGS.get((key, value), value) if isinstance(value, str) else value
        for key, value in (entry.get("config") or {}).items()
        if key in accepted
    }
    return described(f"keras.{home}", name, config)


def is_silent(value: Any) -> bool:
    """Tell whether a key that Keras 3 has dropped can be dropped with this value."""
    return value is None or value is False or (value is not True and value in (1, [1, 1]))


def type_name(value: Any) -> Any:
    """Return a type or a policy by its name."""
    return value["config"]["name"] if isinstance(value, dict) else value


@cache
def parameters(cls: Any) -> frozenset[str]:
    """Return what a class can be made with, its parents' arguments included.

    Args:
        cls: Any, since mypy sees no way to read `__init__` off a class.
    """
    found: set[str] = set()
    for parent in inspect.getmro(cls):
        if "__init__" in vars(parent):
            given = inspect.signature(vars(parent)["__init__"]).parameters
            found.update(given)
            if not any(one.kind is one.VAR_KEYWORD for one in given.values()):
                break
    return frozenset(found - {"self", "args", "kwargs"})


def normalization(config: Entry) -> Entry:
    """Return a Normalization with constants such that Keras spreads no number over an image.

    Raises:
        ValueError: It would spread a few numbers over many.
    """
    constants = {key: config[key] for key in ("mean", "variance") if config.get(key) is not None}
    numbers = {key: _numbers(value) for key, value in constants.items()}
    if not constants:
        return config
    if all(len(found) == 1 for found in numbers.values()):
        # The same for every value, whatever the axis.
        return {**config, "axis": None, **{key: found[0] for key, found in numbers.items()}}
    axis = config.get("axis", -1)
    if any(len(found) == 1 for found in numbers.values()):
        raise ValueError("one of its mean and variance is a single number, the other is not")
    if isinstance(axis, list) and len(axis) > 1:
        raise ValueError("its constants are spread over several axes")
    return config


def _numbers(value: Any) -> list[Any]:
    """Return what is in nested lists."""
    return [one for item in value for one in _numbers(item)] if isinstance(value, list) else [value]
