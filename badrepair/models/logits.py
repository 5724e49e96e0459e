"""Read a classifier's logits, so that entropies do not saturate at confident answers."""

from __future__ import annotations

from typing import Any, Literal

import keras

from badrepair.models.surgery import copy_model, rebuilt

HANDING_ON = (
    keras.layers.Dropout,
    keras.layers.Flatten,
    keras.layers.Identity,
    keras.layers.Reshape,
)
Head = Literal["softmax", "logits", "probabilities"]


def head_of(model: keras.Model) -> Head:
    """Return what the network's outputs are.

    "softmax": probabilities whose logits can be read off the graph; "logits": raw scores;
    "probabilities": positive scores without a softmax at the top level, such as sigmoids.
    """
    head = _head_layer(model)
    if _activation(head) == "softmax":
        return "softmax"
    if isinstance(head, keras.Model):
        return "logits" if head_of(head) == "logits" else "probabilities"
    return "probabilities" if _activation(head) == "sigmoid" else "logits"


def is_normalised(model: keras.Model) -> bool:
    """Return whether the outputs are probabilities that sum to one."""
    head = _head_layer(model)
    return is_normalised(head) if isinstance(head, keras.Model) else head_of(model) == "softmax"


def logits_model(model: keras.Model) -> keras.Model:
    """Return a copy of the network that answers logits: their softmax is its probabilities."""
    copy = copy_model(model)
    kind, head = head_of(copy), _head_layer(copy)
    if kind == "logits":
        return copy
    if kind == "probabilities":
        floor = keras.backend.epsilon() ** 4
        return keras.Model(copy.inputs[0], keras.ops.log(copy.outputs[0] + floor), name="logits")
    if not hasattr(head, "kernel"):
        return rebuilt(copy, lambda layer: _same if layer is head else layer)
    head.activation = keras.activations.linear
    # A fresh copy is traced anew, with the activation that was just set.
    return copy_model(copy)


def _same(values: Any, **_: Any) -> Any:
    return values


def _head_layer(model: keras.Model) -> Any:  # Any: Keras ships no types.
    """Return the layer that makes the outputs what they are, behind which nothing changes."""
    tensor = model.outputs[0]
    while _changes_nothing(tensor._keras_history.operation):
        operation, index, _ = tensor._keras_history
        tensor = operation._inbound_nodes[index].input_tensors[0]
    return tensor._keras_history.operation


def _changes_nothing(layer: Any) -> bool:
    """Return whether a layer hands on what it gets, in inference, perhaps in another shape."""
    linear = isinstance(layer, keras.layers.Activation) and _activation(layer) == "linear"
    return linear or isinstance(layer, HANDING_ON)


def _activation(operation: Any) -> str | None:
    """Return the name of the function that a layer, or an operation called as one, ends in."""
    kind = type(operation)
    if kind.__module__ == "keras.src.ops.nn" or isinstance(operation, keras.layers.Softmax):
        return kind.__name__.lower()
    return getattr(getattr(operation, "activation", None), "__name__", None)
