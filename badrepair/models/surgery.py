"""Take a network apart: copy it, find where channels can be pruned, silence them.

A channel is silent when everything that leaves it is exactly zero in the saved network: kernel
and bias of its convolution, and the scale, shift and mean of every normalisation behind it (a
BatchNormalization alone would still emit beta - gamma * mean / deviation).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from badrepair.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

# Keras ships no types, so layers, tensors and variables are Any throughout this file.
Mask = tuple[Any, "NDArray[np.float32]"]

PRUNABLE = (keras.layers.Conv2D, keras.layers.SeparableConv2D, keras.layers.Conv2DTranspose)
ACTIVATIONS = (
    keras.layers.Activation,
    keras.layers.ReLU,
    keras.layers.LeakyReLU,
    keras.layers.PReLU,
    keras.layers.ELU,
)
# What follows a channel without mixing it with others and keeps a zero channel zero.
PASSING = (
    keras.layers.MaxPooling2D,
    keras.layers.AveragePooling2D,
    keras.layers.GlobalAveragePooling2D,
    keras.layers.GlobalMaxPooling2D,
    keras.layers.Dropout,
    keras.layers.SpatialDropout2D,
    keras.layers.ZeroPadding2D,
    keras.layers.Cropping2D,
    keras.layers.UpSampling2D,
)


def copy_model(model: keras.Model) -> keras.Model:
    """Return a copy that shares nothing with the network."""
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy


def flatten(model: keras.Model) -> keras.Model:
    """Return a Functional view of the network with nested models dissolved; weights are shared."""
    entry = keras.Input(batch_shape=model.inputs[0].shape, dtype=model.inputs[0].dtype)
    return keras.Model(entry, _dissolve(model)(entry), name=model.name)


def _dissolve(operation: Any) -> Any:
    if isinstance(operation, keras.Sequential):
        operation = operation._functional
    if not isinstance(operation, keras.Model):
        return operation
    # `_run_through_graph` is how Keras itself runs (and clones) a Functional network.
    return lambda *inputs, **_: operation._run_through_graph(inputs[0], operation_fn=_dissolve)


def nodes(model: keras.Model) -> Iterator[Any]:
    """Yield the calls of a flat network in the order in which they run."""
    for depth in sorted(model._nodes_by_depth, reverse=True):
        yield from model._nodes_by_depth[depth]


@dataclass(frozen=True)
class Site:
    """A layer whose output channels can be pruned, and what belongs to it.

    Args:
        layer: The convolution or dense layer that makes the channels.
        norms: The normalisations behind it that must be silenced with it.
        tap: Tensor right after the layer's first activation: what "activation" means.
        cut: Last tensor in which the channels are still apart, behind pooling where there is.
    """

    layer: Any
    norms: tuple[Any, ...]
    tap: Any
    cut: Any

    @property
    def channels(self) -> int:
        """Return the number of channels that the layer makes."""
        return int(self.tap.shape[-1])


def find_site(flat: keras.Model, name: str | None = None) -> Site:
    """Return where to prune in a flat network.

    Args:
        flat: From `flatten`.
        name: A convolution or hidden dense layer, or an activation or pooling layer right behind
            one; the last convolution if None, or the last hidden dense layer without any.

    Raises:
        ModelError: There is no such layer, or its channels cannot be silenced.
    """
    calls = list(nodes(flat))
    makers = [node for node in calls if _makes_channels(node.operation, flat)]
    if not makers:
        raise ModelError(
            "NothingToPrune",
            flat.name,
            "expected a convolution or a hidden Dense layer, found none",
        )
    if name is None:
        convolutions = [node for node in makers if isinstance(node.operation, PRUNABLE)]
        return _site((convolutions or makers)[-1], calls)
    sites = (_site(node, calls) for node in reversed(makers))
    for site in sites:
        if name in (site.layer.name, *_names_on_the_way(site, calls)):
            return site
    prunable = ", ".join(node.operation.name for node in makers)
    raise ModelError(
        "LayerNotFound",
        name,
        "expected a layer whose channels can be pruned, found none of that name",
        f"give --layer one of: {prunable}",
    )


def _makes_channels(operation: Any, flat: keras.Model) -> bool:
    if isinstance(operation, keras.layers.DepthwiseConv2D):
        return False
    if isinstance(operation, PRUNABLE):
        return True
    is_output = any(operation is tensor._keras_history.operation for tensor in flat.outputs)
    return isinstance(operation, keras.layers.Dense) and not is_output


def _site(maker: Any, calls: list[Any]) -> Site:
    norms: list[Any] = []
    cut = maker.outputs[0]
    tap = cut if _is_nonlinear(maker.operation) else None
    last_linear = cut
    for node in _chain(cut, calls):
        operation, cut = node.operation, node.outputs[0]
        if isinstance(operation, keras.layers.BatchNormalization):
            norms.append(operation)
            last_linear = cut
        if isinstance(operation, ACTIVATIONS):
            _require_zero_preserving(operation, node)
            tap = cut if tap is None else tap
    _require_zero_preserving(maker.operation, maker)
    return Site(maker.operation, tuple(norms), last_linear if tap is None else tap, cut)


def _chain(tensor: Any, calls: list[Any]) -> Iterator[Any]:
    """Yield the calls behind a tensor as long as they keep its channels apart."""
    channelwise = (keras.layers.BatchNormalization, *ACTIVATIONS, *PASSING)
    while True:
        consumers = [node for node in calls if any(tensor is t for t in node.input_tensors)]
        if len(consumers) != 1 or not isinstance(consumers[0].operation, channelwise):
            return
        yield consumers[0]
        tensor = consumers[0].outputs[0]


def _names_on_the_way(site: Site, calls: list[Any]) -> Iterator[str]:
    start = next(node.outputs[0] for node in calls if node.operation is site.layer)
    return (node.operation.name for node in _chain(start, calls))


def _is_nonlinear(layer: Any) -> bool:
    activation = getattr(layer, "activation", None)
    return activation is not None and activation is not keras.activations.linear


def _require_zero_preserving(layer: Any, node: Any) -> None:
    """Refuse activations such as sigmoid, behind which a silent channel would still speak."""
    function = getattr(layer, "activation", None) if not isinstance(layer, ACTIVATIONS) else layer
    if isinstance(layer, keras.layers.Activation):
        function = layer.activation
    if function is None:
        return
    zeros = np.zeros((1, *(size or 1 for size in node.outputs[0].shape[1:])), np.float32)
    if np.any(keras.ops.convert_to_numpy(function(zeros)) != 0):
        raise ModelError(
            "UnsupportedTopology",
            layer.name,
            "expected an activation that keeps zero at zero, found one that does not",
            "prune another layer with --layer",
        )


def silence(layer: Any, norms: Iterable[Any], channels: Iterable[int]) -> tuple[Mask, ...]:
    """Set channels of a layer, and of the normalisations behind it, to exactly zero, in place.

    Returns:
        The variables that were touched, each with its mask: 0 where it must stay zero, else 1.
    """
    masks = tuple(_masks(layer, norms, [int(channel) for channel in channels]))
    for variable, mask in masks:
        # Not multiplication: a weight that is infinite would become NaN.
        variable.assign(np.where(mask == 0, np.float32(0), keras.ops.convert_to_numpy(variable)))
    return masks


def _masks(layer: Any, norms: Iterable[Any], channels: list[int]) -> Iterator[Mask]:
    kernel = layer.pointwise_kernel if hasattr(layer, "pointwise_kernel") else layer.kernel
    axis = -2 if isinstance(layer, keras.layers.Conv2DTranspose) else -1
    yield kernel, _mask(kernel, channels, axis)
    shifts = [layer.bias if layer.use_bias else None]
    for norm in norms:
        shifts += [norm.gamma, norm.beta, norm.moving_mean]
    for variable in shifts:
        if variable is not None:
            yield variable, _mask(variable, channels, -1)


def _mask(variable: Any, channels: list[int], axis: int) -> NDArray[np.float32]:
    mask = np.ones(variable.shape, np.float32)
    np.moveaxis(mask, axis, 0)[channels] = 0
    return mask
