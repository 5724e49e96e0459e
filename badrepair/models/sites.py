"""Find where channels can be pruned in a network, and what must fall silent with them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from badrepair.errors import ModelError
from badrepair.models.surgery import nodes

if TYPE_CHECKING:
    from collections.abc import Iterator

# Keras ships no types, so layers, calls and tensors are Any throughout this file.

CONVOLUTIONS = (
    keras.layers.Conv2D,
    keras.layers.SeparableConv2D,
    keras.layers.Conv2DTranspose,
)
ACTIVATIONS = (
    keras.layers.Activation,
    keras.layers.ReLU,
    keras.layers.LeakyReLU,
    keras.layers.PReLU,
    keras.layers.ELU,
)
# The same called without a layer, as keras.ops.relu; those that do not keep zero are refused.
FUNCTION_MODULES = {"keras.src.ops.nn", "keras.src.ops.numpy"}
ACTIVATION_NAMES = """
    Celu Elu Gelu HardShrink HardSigmoid HardSilu HardTanh LeakyRelu LogSigmoid Relu Relu6 Selu
    Sigmoid Silu SoftShrink Softplus Softsign SparsePlus SparseSigmoid Squareplus Tanh TanhShrink
    Threshold
"""
ACTIVATION_FUNCTIONS = set(ACTIVATION_NAMES.split())
# What follows a channel without mixing it with others and keeps a zero channel zero.
PASSING = (
    keras.layers.MaxPooling2D,
    keras.layers.AveragePooling2D,
    keras.layers.GlobalAveragePooling2D,
    keras.layers.GlobalMaxPooling2D,
    keras.layers.Dropout,
    keras.layers.SpatialDropout2D,
    keras.layers.GaussianNoise,
    keras.layers.GaussianDropout,
    keras.layers.Identity,
    keras.layers.ZeroPadding2D,
    keras.layers.Cropping2D,
    keras.layers.UpSampling2D,
)
# They mix channels, and shift each of them: behind them a silent channel would speak.
MIXING_NORMS = (keras.layers.LayerNormalization, keras.layers.GroupNormalization)
# Between the layer that makes the class scores and the output.
BEHIND_SCORES = (keras.layers.Flatten, keras.layers.Reshape, keras.layers.Softmax)
SCORE_FUNCTIONS = {"LogSoftmax", "Reshape", "Softmax"}


@dataclass(frozen=True)
class Site:
    """A layer whose output channels can be pruned, and what belongs to it.

    Args:
        layer: The convolution or dense layer that makes the channels.
        norms: The normalisations behind it that must be silenced with it.
        tap: Tensor by which channels are ranked: right after the layer's first activation.
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
        flat: From `surgery.flatten`.
        name: A convolution or hidden dense layer; the last convolution if None, or the last
            hidden dense layer without any. Or an activation or pooling layer right behind one:
            then channels are ranked by what leaves that layer.

    Raises:
        ModelError: There is no such layer, or its channels cannot be silenced.
    """
    calls = list(nodes(flat))
    makers = [call for call in calls if _makes_channels(call, calls, flat)]
    if not makers:
        problem = "expected a convolution or a hidden Dense layer, found none"
        raise ModelError("NothingToPrune", flat.name, problem)
    if name is None:
        convolutions = [call for call in makers if isinstance(call.operation, CONVOLUTIONS)]
        return _site((convolutions or makers)[-1], calls)
    for maker in reversed(makers):
        if maker.operation.name == name:
            return _site(maker, calls)
        for call in _chain(maker.outputs[0], calls):
            if call.operation.name == name:
                return replace(_site(maker, calls), tap=call.outputs[0])
    raise ModelError(
        "LayerNotFound",
        name,
        "expected a layer whose channels can be pruned, found none of that name",
        f"give --layer one of: {', '.join(call.operation.name for call in makers)}",
    )


def _makes_channels(call: Any, calls: list[Any], flat: keras.Model) -> bool:
    layer = call.operation
    if isinstance(layer, keras.layers.DepthwiseConv2D):
        return False
    if not isinstance(layer, (*CONVOLUTIONS, keras.layers.Dense)):
        return False
    return not _scores_classes(call, calls, flat)


def _scores_classes(call: Any, calls: list[Any], flat: keras.Model) -> bool:
    """Return whether nothing that mixes channels stands between a layer and the output."""
    tensor = call.outputs[0]
    while tensor is not flat.outputs[0]:
        follower = _only_consumer(tensor, calls)
        if follower is None or not _keeps_classes(follower.operation):
            return False
        tensor = follower.outputs[0]
    return True


def _keeps_classes(operation: Any) -> bool:
    scores = isinstance(operation, BEHIND_SCORES) or _is_function(operation, SCORE_FUNCTIONS)
    return scores or _is_channelwise(operation)


def _site(maker: Any, calls: list[Any]) -> Site:
    layer = maker.operation
    if sum(call.operation is layer for call in calls) > 1:
        raise _unsupported(layer, "a layer that runs once", "one that is shared")
    _require_zero_preserving(maker)
    norms: list[Any] = []
    linear = cut = maker.outputs[0]
    tap = cut if _is_nonlinear(layer) else None
    for call in _chain(cut, calls):
        _require_zero_preserving(call)
        cut = call.outputs[0]
        if isinstance(call.operation, keras.layers.BatchNormalization):
            norms.append(call.operation)
            linear = cut
        if tap is None and _is_nonlinear(call.operation):
            tap = cut
    follower = _only_consumer(cut, calls)
    if follower is not None and isinstance(follower.operation, MIXING_NORMS):
        found = f"{type(follower.operation).__name__}, behind which a silent channel would speak"
        raise _unsupported(layer, "no normalisation over channels", found)
    return Site(layer, tuple(norms), linear if tap is None else tap, cut)


def _chain(tensor: Any, calls: list[Any]) -> Iterator[Any]:
    """Yield the calls behind a tensor as long as they keep its channels apart."""
    call = _only_consumer(tensor, calls)
    while call is not None and _is_channelwise(call.operation):
        yield call
        call = _only_consumer(call.outputs[0], calls)


def _only_consumer(tensor: Any, calls: list[Any]) -> Any:
    consumers = [call for call in calls if any(tensor is t for t in call.input_tensors)]
    return consumers[0] if len(consumers) == 1 else None


def _is_channelwise(operation: Any) -> bool:
    kinds = (keras.layers.BatchNormalization, *ACTIVATIONS, *PASSING)
    return isinstance(operation, kinds) or _is_function(operation, ACTIVATION_FUNCTIONS)


def _is_function(operation: Any, names: set[str]) -> bool:
    """Return whether an operation is one of these functions of Keras, called without a layer."""
    kind = type(operation)
    return kind.__module__ in FUNCTION_MODULES and kind.__name__ in names


def _activation(operation: Any) -> Any:
    """Return the function that an operation applies to each value, or None."""
    if isinstance(operation, keras.layers.Activation):
        return operation.activation
    if isinstance(operation, ACTIVATIONS) or _is_function(operation, ACTIVATION_FUNCTIONS):
        return operation
    return getattr(operation, "activation", None)


def _is_nonlinear(operation: Any) -> bool:
    return _activation(operation) not in {None, keras.activations.linear}


def _require_zero_preserving(call: Any) -> None:
    """Refuse activations such as sigmoid, behind which a silent channel would still speak."""
    function = _activation(call.operation)
    if function is None:
        return
    zeros = np.zeros((1, *(size or 1 for size in call.outputs[0].shape[1:])), np.float32)
    if np.any(keras.ops.convert_to_numpy(function(zeros)) != 0):
        found = "one that does not"
        raise _unsupported(call.operation, "an activation that keeps zero at zero", found)


def _unsupported(layer: Any, expected: str, found: str) -> ModelError:
    return ModelError(
        "UnsupportedTopology",
        layer.name,
        f"expected {expected}, found {found}",
        "prune another layer with --layer",
    )
