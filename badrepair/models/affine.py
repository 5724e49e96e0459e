"""Split a network behind the affine layers that it starts with.

A function f is affine where f(a x + b y) = a f(x) + b f(y) + (1 - a - b) f(0): rescalings,
paddings, convolutions and dense layers are, up to the first activation. What such a start makes of
a mix of two images is the mix of what it makes of each, so that it need not see the mix.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
from keras import layers

from badrepair.models.channelwise import only_consumer
from badrepair.models.surgery import copy_model, flatten, nodes

if TYPE_CHECKING:
    from collections.abc import Iterator

# Keras ships no types, so layers, calls and tensors are Any throughout this file.

# Types are compared exactly, since a subclass may do anything.
ARITHMETIC = {
    layers.Conv2D,
    layers.Conv2DTranspose,
    layers.SeparableConv2D,
    layers.DepthwiseConv2D,
    layers.Dense,
}
MOVING = {
    *(layers.Rescaling, layers.Normalization, layers.BatchNormalization),
    *(layers.ZeroPadding2D, layers.Cropping2D, layers.UpSampling2D),
    *(layers.AveragePooling2D, layers.GlobalAveragePooling2D),
    *(layers.Flatten, layers.Reshape, layers.Permute, layers.Identity),
    # In inference they hand on what they get.
    *(layers.Dropout, layers.SpatialDropout2D, layers.GaussianNoise, layers.GaussianDropout),
}


@dataclass(frozen=True)
class AffineSplit:
    """A network in two parts, one behind the other.

    Args:
        start: Affine; takes images.
        rest: Takes what `start` answers, and answers what the network does.
        names: Names of the layers in `start`, for people.
    """

    start: keras.Model
    rest: keras.Model
    names: str


def affine_split(model: keras.Model) -> AffineSplit | None:
    """Return the network split as late as its start is affine; None if nothing is gained by it.

    The parts are copies; together they hold the network once.
    """
    flat = flatten(copy_model(model))
    calls = list(nodes(flat))
    found = list(_affine_calls(flat.inputs[0], calls))
    if not any(type(call.operation) in ARITHMETIC for call in found):
        return None
    cut = found[-1].outputs[0]
    if cut is flat.outputs[0]:
        return None
    last = found[-1].operation
    function = getattr(last, "activation", None)
    entry = keras.Input(cut.shape[1:], dtype=cut.dtype)
    behind = entry
    if function is not None:
        last.activation = keras.activations.linear
        behind = layers.Activation(function, dtype=cut.dtype)(entry)
    rest = keras.Model(entry, keras.Model(cut, flat.outputs[0])(behind))
    names = ", ".join(call.operation.name for call in found)
    return AffineSplit(keras.Model(flat.inputs[0], cut), rest, names)


def _affine_calls(tensor: Any, calls: list[Any]) -> Iterator[Any]:
    """Yield the affine calls behind a tensor; the last may end in an activation function."""
    call = only_consumer(tensor, calls)
    while call is not None and _is_affine(call, calls):
        yield call
        if _activation(call) is not None:
            return
        call = only_consumer(call.outputs[0], calls)


def _is_affine(call: Any, calls: list[Any]) -> bool:
    """Return whether a call is affine but for the activation function that it may end in."""
    layer = call.operation
    if sum(other.operation is layer for other in calls) > 1 or len(call.input_tensors) != 1:
        return False
    return type(layer) in ARITHMETIC | MOVING


def _activation(call: Any) -> Any:
    function = getattr(call.operation, "activation", None)
    return None if function is keras.activations.linear else function
