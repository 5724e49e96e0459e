"""Read a classifier's logits, so that entropies do not saturate at confident answers."""

from __future__ import annotations

from typing import Any, Literal

import keras

from badrepair.models.surgery import copy_model

Head = Literal["softmax", "logits", "probabilities"]


def head_of(model: keras.Model) -> Head:
    """Return what the network's outputs are.

    "softmax": probabilities whose logits can be read off the graph; "logits": raw scores;
    "probabilities": positive scores without a softmax at the top level, such as sigmoids.
    """
    last = _last_layer(model)
    if isinstance(last, keras.layers.Softmax) or _activation(last) == "softmax":
        return "softmax"
    if isinstance(last, keras.Model):
        return "logits" if head_of(last) == "logits" else "probabilities"
    return "probabilities" if _activation(last) == "sigmoid" else "logits"


def is_normalised(model: keras.Model) -> bool:
    """Return whether the outputs are probabilities that sum to one."""
    last = _last_layer(model)
    return is_normalised(last) if isinstance(last, keras.Model) else head_of(model) == "softmax"


def logits_model(model: keras.Model) -> keras.Model:
    """Return a copy of the network that answers logits: their softmax is its probabilities."""
    copy = copy_model(model)
    head = head_of(copy)
    if head == "logits":
        return copy
    if head == "probabilities":
        floor = keras.backend.epsilon() ** 4
        return keras.Model(copy.inputs, keras.ops.log(copy.outputs[0] + floor), name="logits")
    last = _last_layer(copy)
    if isinstance(last, keras.layers.Softmax | keras.layers.Activation):
        return keras.Model(copy.inputs, last.input, name="logits")
    last.activation = keras.activations.linear
    # A fresh copy is traced anew, with the activation that was just set.
    return copy_model(copy)


def _last_layer(model: keras.Model) -> Any:  # Any: Keras ships no types.
    return model.outputs[0]._keras_history.operation


def _activation(layer: Any) -> str | None:
    return getattr(getattr(layer, "activation", None), "__name__", None)
