"""Gates on the channels of a network: what masks and perturbations of neurons are made with.

A gate stands behind a convolution or a hidden dense layer, before its activation, and behind its
batch normalisation where it has one. Of z, what the layer makes, and b, what it adds, it makes
(1 + d) m (z - b) + (1 + e) b for each channel: the mask m and the noise d scale the filter, the
noise e scales the bias (Wu and Wang, "Adversarial Neuron Pruning Purifies Backdoored Deep
Models", NeurIPS 2021, arXiv:2110.14430). All of it can be folded back exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from badrepair.errors import ModelError
from badrepair.models import surgery
from badrepair.models.channelwise import is_nonlinear, only_consumer, speaks_for_silent
from badrepair.models.logits import logits_model
from badrepair.models.sites import OTHER_WAY, channel_makers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from badrepair.views import Array

# Keras ships no types, so layers, tensors and variables are Any throughout this file.


class Gate(keras.layers.Layer):  # type: ignore[misc]
    """Scales every channel; see the module. It is folded away before a network is saved.

    Args:
        offset: Returns what the layer adds to its channels, shape (C,), or None.
        name: Of the layer.
    """

    def __init__(self, offset: Callable[[], Any], name: str) -> None:
        super().__init__(name=name)
        self._offset = offset

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Make the mask and the noise, which change nothing yet."""
        channels = (shape[-1],)
        self.mask = self.add_weight(shape=channels, initializer="ones", name="mask")
        self.filter_noise = self.add_weight(shape=channels, initializer="zeros", name="filter")
        self.bias_noise = self.add_weight(shape=channels, initializer="zeros", name="bias")

    def call(self, values: Any) -> Any:
        """Return the channels as the gate lets them through."""
        scale = (1 + self.filter_noise) * self.mask
        offset = self._offset()
        if offset is None:
            return scale * values
        return scale * (values - offset) + (1 + self.bias_noise) * offset


@dataclass(frozen=True)
class Gated:
    """A layer with a gate.

    Args:
        gate: Stands behind it.
        layer: The convolution or dense layer.
        norm: The batch normalisation between them; None if there is none.
    """

    gate: Gate
    layer: Any
    norm: Any

    @property
    def name(self) -> str:
        """Return the layer's name."""
        return str(self.layer.name)

    def folded(self, *, silent: bool) -> list[tuple[Any, Array]]:
        """Return the variables that the gate changes, each with its new value.

        Args:
            silent: Whether a channel whose mask is zero loses what is added to it, too.
        """
        mask, wide, shifted = (
            keras.ops.convert_to_numpy(one)
            for one in (self.gate.mask, self.gate.filter_noise, self.gate.bias_noise)
        )
        scale, lift = (1 + wide) * mask, 1 + shifted
        if silent:
            lift = np.where(mask == 0, np.float32(0), lift)
        return [
            (variable, _scaled(variable, lift if adds else scale, axis))
            for variable, axis, adds in self._parts()
        ]

    def _parts(self) -> list[tuple[Any, int, bool]]:
        """Return variables, each with its axis of channels and whether it is what is added."""
        norm = self.norm
        if norm is None:
            kernel, *bias = surgery.by_channel(self.layer)
            return [(*kernel, False), *((*one, True) for one in bias)]
        added = [] if norm.beta is None else [(norm.beta, -1, True)]
        if norm.gamma is not None:
            return [(norm.gamma, -1, False), *added]
        # Nothing scales the channel behind the mean: scale all that is in front of it.
        own = [(*one, False) for one in surgery.by_channel(self.layer)]
        return [*own, (norm.moving_mean, -1, False), *added]


class GatedNetwork:
    """A network with a gate on every channel.

    Args:
        model: Stays untouched.

    Attributes:
        network: Answers logits, through the gates; its variables are those of a copy.
        gated: The layers with gates, in the order in which they run.

    Raises:
        ModelError: NothingToPrune, if no layer of it makes channels.
    """

    def __init__(self, model: keras.Model) -> None:
        self._model = model
        self._copy = logits_model(model)
        flat = surgery.flatten(self._copy)
        self.gated = tuple(_gated(flat))
        if not self.gated:
            problem = "expected a layer on whose channels gates can stand, found none"
            raise ModelError("NothingToPrune", model.name, problem, OTHER_WAY)
        self.network = surgery.rebuilt(flat, _with_gates(self.gated))

    @property
    def variables(self) -> list[Any]:
        """Return what the network without gates trains."""
        return list(self._copy.trainable_variables)

    @property
    def masks(self) -> list[Any]:
        """Return the mask of every gate, shape (C,) each."""
        return [one.gate.mask for one in self.gated]

    @property
    def noises(self) -> list[Any]:
        """Return the noises of every gate, shape (C,) each: of filters and of biases."""
        return [
            noise for one in self.gated for noise in (one.gate.filter_noise, one.gate.bias_noise)
        ]

    def folded(self, *, silent: bool = False) -> keras.Model:
        """Return a network like the one that was given, with the gates in its weights.

        Args:
            silent: Whether a channel whose mask is zero is gone altogether; else it keeps what
                its layer adds to it.
        """
        new = {
            id(variable): value
            for one in self.gated
            for variable, value in one.folded(silent=silent)
        }
        weights = [new.get(id(one), keras.ops.convert_to_numpy(one)) for one in self._copy.weights]
        network = surgery.copy_model(self._model)
        network.set_weights(weights)
        return network


def _gated(flat: keras.Model) -> Iterable[Gated]:
    """Yield the layers that a gate can stand behind, each with a new gate."""
    calls = list(surgery.nodes(flat))
    for call in channel_makers(flat):
        layer = call.operation
        if sum(other.operation is layer for other in calls) > 1:
            continue
        norm = _norm_behind(call, calls)
        gate = Gate(_offset_of(layer, norm), name=f"{layer.name}_gate")
        gate.build(call.outputs[0].shape)
        yield Gated(gate, layer, norm)


def _norm_behind(call: Any, calls: list[Any]) -> Any:
    """Return the batch normalisation right behind a layer, or None."""
    if is_nonlinear(call.operation):
        return None
    follower = only_consumer(call.outputs[0], calls)
    if follower is None or not isinstance(follower.operation, keras.layers.BatchNormalization):
        return None
    norm = follower.operation
    once = sum(other.operation is norm for other in calls) == 1
    return norm if once and speaks_for_silent(follower) else None


def _offset_of(layer: Any, norm: Any) -> Callable[[], Any]:
    if norm is not None:
        return lambda: norm.beta
    return lambda: layer.bias if layer.use_bias else None


def _with_gates(gated: Sequence[Gated]) -> Callable[[Any], Callable[..., Any]]:
    """Return what to call instead of each operation; activations move behind the gates."""
    behind: Mapping[int, Gated] = {
        id(one.layer if one.norm is None else one.norm): one for one in gated
    }

    def stand_in(operation: Any) -> Callable[..., Any]:
        one = behind.get(id(operation))
        if one is None:
            return operation  # type: ignore[no-any-return]
        if not is_nonlinear(operation):
            return lambda values, **more: one.gate(operation(values, **more))
        active = keras.layers.Activation(operation.activation, name=f"{operation.name}_active")
        operation.activation = keras.activations.linear
        return lambda values, **more: active(one.gate(operation(values, **more)))

    return stand_in


def _scaled(variable: Any, factors: Array, axis: int) -> Array:
    values = keras.ops.convert_to_numpy(variable)
    shape = [1] * values.ndim
    shape[axis] = -1
    # Not multiplication alone: a weight that is infinite would become NaN.
    factors = factors.reshape(shape)
    return np.where(factors == 0, np.float32(0), values * factors).astype(values.dtype)
