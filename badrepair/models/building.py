"""Build a network from an allowed description, without memory for anything that does not fit.

Under Keras's StatelessScope a layer that is built knows the shapes of its weights but holds none,
so that a network of any size costs nothing until its weights are found to be those of the file.
"""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
from keras.src.backend.common import global_state

from badrepair.errors import ModelError
from badrepair.models import built_once
from badrepair.models.gate.sizes import MOST_VALUES
from badrepair.models.keras_words import in_one_line
from badrepair.models.layer_outputs import outputs_of_layers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from badrepair.models.weights import Weights

UNINITIALIZED = "uninitialized_variables"


@dataclass(frozen=True)
class Described:
    """A description that is allowed, in the form of Keras 3.

    Args:
        config: Any, since it is JSON.
        path: The file that it is from, to name in errors.
    """

    config: dict[str, Any]
    path: Path


def built(described: Described, weights: Weights) -> keras.Model:
    """Return the network that a description tells of, with memory for its weights.

    Args:
        described: What to build.
        weights: What the network is to hold; it is not yet filled in.

    Raises:
        ModelError: ConfigInvalid, UnsupportedTopology, LimitExceeded or WeightsMismatch.
    """
    with _without_memory(described.path):
        model = _unfilled(described)
        _check_topology(model, described.path)
        weights.require_fit(model)
    return model


@contextmanager
def _without_memory(path: Path) -> Iterator[None]:
    """Give the layers that are built inside memory only when all went well."""
    try:
        with keras.StatelessScope(initialize_variables=False):
            yield
        with _faults_named(path):
            _give_memory()
    finally:
        global_state.set_global_attribute(UNINITIALIZED, [])


def _give_memory() -> None:
    """Give memory to the variables that were built inside, each once: Keras may list one twice.

    All weights come from the file: no initializer of the file's choice need run for them, which
    could fail, or compute for hours. Random number generators have a function, and keep it.
    """
    built_inside = global_state.get_global_attribute(UNINITIALIZED) or []
    waiting = {id(one): one for one in built_inside if one._value is None}
    for variable in waiting.values():
        if isinstance(variable._initializer, keras.initializers.Initializer):
            variable._initializer = keras.initializers.Zeros()
    global_state.set_global_attribute(UNINITIALIZED, [*waiting.values()])
    with keras.StatelessScope():  # on its way out it gives memory to what has none
        pass


def _unfilled(described: Described) -> keras.Model:
    with _faults_named(described.path):
        return keras.saving.deserialize_keras_object(
            described.config, custom_objects={"Sequential": built_once.Sequential}, safe_mode=True
        )


@contextmanager
def _faults_named(path: Path) -> Iterator[None]:
    """Turn into one error what Keras raises on values that make no network: nearly anything."""
    try:
        yield
    except Exception as error:
        problem = f"Keras cannot build the network: {in_one_line(error)}"
        raise ModelError("ConfigInvalid", path, problem) from error


def _check_topology(model: Any, path: Path) -> None:
    inputs = [tuple(tensor.shape) for tensor in getattr(model, "inputs", ())]
    outputs = [tuple(tensor.shape) for tensor in getattr(model, "outputs", ())]
    if [len(shape) for shape in inputs] != [4]:
        problem = f"expected one input of images (N, H, W, C), found {_list(inputs)}"
        raise ModelError("UnsupportedTopology", path, problem)
    if [len(shape) for shape in outputs] != [2] or (outputs[0][1] or 0) < 2:
        problem = f"expected one output (N, classes) of two or more classes, found {_list(outputs)}"
        raise ModelError("UnsupportedTopology", path, problem)
    for name, shape in outputs_of_layers(model):
        values = math.prod(size or 1 for size in shape[1:])
        if values > MOST_VALUES:
            problem = f"layer {name} makes {values:,} values of one image"
            raise ModelError("LimitExceeded", path, problem)


def _list(shapes: list[tuple[int | None, ...]]) -> str:
    return ", ".join(str(shape) for shape in shapes) or "none"
