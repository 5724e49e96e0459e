"""Find what of a network can be done to a sum while it is made, before it is written to memory.

That is a ReLU, and a max pooling behind it whose windows lie side by side: each answer of such a
pooling is the largest of a few sums, whichever of the two comes first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from badrepair.models.channelwise import activation, only_consumer
from badrepair.models.surgery import flatten, nodes

# Keras ships no types, so operations are Any throughout this file.


@dataclass(frozen=True)
class FusedFront:
    """A network in two parts, the first of which is a ReLU, a max pooling, both or nothing.

    Args:
        rectified: Whether a ReLU is in the first part.
        window: Rows and columns that the pooling makes one value of.
        rest: What follows.
    """

    rectified: bool
    window: tuple[int, int]
    rest: keras.Model


def fused_front(model: keras.Model) -> FusedFront:
    """Return a network split behind the ReLU and the pooling that it starts with.

    Args:
        model: Its layers may be renamed: nobody else holds it.
    """
    flat = flatten(model)
    calls, tensor = list(nodes(flat)), flat.inputs[0]
    call = only_consumer(tensor, calls)
    rectified = call is not None and _is_relu(call.operation)
    if rectified:
        tensor = call.outputs[0]
        call = only_consumer(tensor, calls)
    window = (1, 1)
    if call is not None and _lies_side_by_side(call.operation):
        tensor, window = call.outputs[0], tuple(call.operation.pool_size)
    if tensor is flat.outputs[0]:  # Keras makes no network of nothing.
        return FusedFront(rectified=False, window=(1, 1), rest=flat)
    return FusedFront(rectified, window, keras.Model(tensor, flat.outputs[0]))


def _is_relu(operation: Any) -> bool:
    """Return whether an operation is a layer that does nothing but rectify."""
    if type(operation) is layers.ReLU:
        limits = (operation.max_value, operation.negative_slope, operation.threshold)
        return limits == (None, 0, 0)
    return type(operation) is layers.Activation and activation(operation) is keras.activations.relu


def _lies_side_by_side(operation: Any) -> bool:
    """Return whether an operation is a max pooling whose windows neither overlap nor leave gaps."""
    return (
        type(operation) is layers.MaxPooling2D
        and operation.padding == "valid"
        and operation.data_format == "channels_last"
        and tuple(operation.strides) == tuple(operation.pool_size)
    )
