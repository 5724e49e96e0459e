"""Take a network apart: copy it, exchange its parts, silence its channels.

A channel is silent when everything that leaves it is exactly zero in the saved network: kernel
and bias of its convolution; the scale, shift and mean of every normalisation behind it (a
BatchNormalization alone would still emit beta - gamma * mean / deviation); kernel and bias of
every depthwise convolution behind it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

# Keras ships no types, so layers, tensors and variables are Any throughout this file.
Mask = tuple[Any, "NDArray[np.float32]"]


def copy_model(model: keras.Model) -> keras.Model:
    """Return a copy that shares nothing with the network."""
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    for layer in copy._flatten_layers(include_self=False):
        # A Normalization computes with what it makes of its weights, not with them.
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()
    return copy


def rebuilt(model: keras.Model, stand_in: Callable[[Any], Callable[..., Any]]) -> keras.Model:
    """Return the network with operations exchanged; what stays shares its weights.

    Args:
        model: A Functional or Sequential network.
        stand_in: Returns what to call instead of an operation, or the operation itself.
    """
    first = model.inputs[0]
    entry = keras.Input(batch_shape=first.shape, dtype=first.dtype, name=first.name)
    return keras.Model(entry, _run(model, stand_in)(entry), name=model.name)


def flatten(model: keras.Model) -> keras.Model:
    """Return a Functional view of the network with nested models dissolved; weights are shared.

    Layers are renamed where a nested model uses a name that stands outside too, so that the
    network must be a copy that nobody else holds.
    """
    seen: set[str] = set()
    for layer in model._flatten_layers(include_self=False):
        while layer.name in seen:
            layer.name += "_inner"
        seen.add(layer.name)
    return rebuilt(model, _dissolved)


def _dissolved(operation: Any) -> Callable[..., Any]:
    return _run(operation, _dissolved) if isinstance(operation, keras.Model) else operation


def _run(model: Any, stand_in: Callable[[Any], Callable[..., Any]]) -> Callable[..., Any]:
    graph = model._functional if isinstance(model, keras.Sequential) else model
    # `_run_through_graph` is how Keras itself runs (and clones) a Functional network.
    return lambda inputs, **_: graph._run_through_graph(inputs, operation_fn=stand_in)


def nodes(model: keras.Model) -> Iterator[Any]:
    """Yield the calls of a flat network in the order in which they run."""
    for depth in sorted(model._nodes_by_depth, reverse=True):
        yield from model._nodes_by_depth[depth]


def silence(layer: Any, followers: Iterable[Any], channels: Iterable[int]) -> tuple[Mask, ...]:
    """Set channels of a layer, and of what follows it, to exactly zero, in place.

    Args:
        layer: The convolution or dense layer that makes the channels.
        followers: The normalisations and depthwise convolutions that speak for a silent channel.
        channels: Which to silence.

    Returns:
        The variables that were touched, each with its mask: 0 where it must stay zero, else 1.
    """
    masks = tuple(_masks(layer, followers, [int(channel) for channel in channels]))
    for variable, mask in masks:
        # Not multiplication: a weight that is infinite would become NaN.
        variable.assign(np.where(mask == 0, np.float32(0), keras.ops.convert_to_numpy(variable)))
    return masks


def _masks(layer: Any, followers: Iterable[Any], channels: list[int]) -> Iterator[Mask]:
    for part in (layer, *followers):
        for variable, axis in by_channel(part):
            mask = np.ones(variable.shape, np.float32)
            np.moveaxis(mask, axis, 0)[channels] = 0
            yield variable, mask


def by_channel(layer: Any) -> Iterator[tuple[Any, int]]:
    """Yield the variables that let a layer's channels speak, each with its axis of channels."""
    if isinstance(layer, keras.layers.BatchNormalization):
        variables = [layer.gamma, layer.beta, layer.moving_mean]
        yield from ((variable, -1) for variable in variables if variable is not None)
        return
    kernel = layer.pointwise_kernel if hasattr(layer, "pointwise_kernel") else layer.kernel
    between = (keras.layers.Conv2DTranspose, keras.layers.DepthwiseConv2D)
    yield kernel, -2 if isinstance(layer, between) else -1
    if layer.use_bias:
        yield layer.bias, -1
