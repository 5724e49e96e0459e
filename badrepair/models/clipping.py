"""Upper bounds on what leaves the channels of a network: trained, then written as plain layers.

min(z, u) is u - max(0, u - z): two rescalings with a rectifier between them, which every reader
of Keras files knows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from badrepair.models import surgery
from badrepair.models.logits import logits_model
from badrepair.models.sites import find_sites
from badrepair.views import batches

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from badrepair.models.sites import Site
    from badrepair.views import Array, Images

# Keras ships no types, so layers, tensors and variables are Any throughout this file.


class Bound(keras.layers.Layer):  # type: ignore[misc]
    """Cuts off what is above a bound; while it is trained, `written` replaces it.

    Args:
        start: Where the bound begins, shape (C,).
        name: Of the layer.
    """

    def __init__(self, start: Array, name: str) -> None:
        super().__init__(name=name)
        self.bound = self.add_weight(shape=start.shape, initializer="zeros", name="bound")
        self.bound.assign(start)

    def call(self, values: Any) -> Any:
        """Return the values, each at most as large as the bound of its channel."""
        return keras.ops.minimum(values, self.bound)


class Clipped:
    """A network whose channels are bounded behind their first activation.

    Args:
        model: Stays untouched.
        images: Clean, shape (N, H, W, C): bounds begin so far above what they excite.
        deviations: How many standard deviations above the mean of a channel its bound begins.
        batch_size: Images a call.

    Attributes:
        network: Answers logits, within the bounds.
        bounds: One variable a layer, shape (C,).

    Raises:
        ModelError: NothingToPrune, if no layer makes channels.
    """

    def __init__(
        self, model: keras.Model, images: Images, *, deviations: float, batch_size: int
    ) -> None:
        self._model = model
        flat = surgery.flatten(logits_model(model))
        sites = find_sites(flat, ("all",)).found
        means, spreads = _moments(flat, sites, images, batch_size)
        layers = [
            Bound(mean + deviations * spread, name=f"{site.layer.name}_bound")
            for site, mean, spread in zip(sites, means, spreads, strict=True)
        ]
        self.bounds = [layer.bound for layer in layers]
        by_tap = {
            id(_operation(site.tap)): layer for site, layer in zip(sites, layers, strict=True)
        }
        self.network = surgery.rebuilt(flat, _behind(by_tap, lambda layer: layer))

    def written(self) -> keras.Model:
        """Return the network with its bounds as plain layers, and its own last layer."""
        flat = surgery.flatten(surgery.copy_model(self._model))
        sites = find_sites(flat, ("all",)).found
        values = [keras.ops.convert_to_numpy(bound) for bound in self.bounds]
        by_tap = {
            id(_operation(site.tap)): (site.layer.name, value)
            for site, value in zip(sites, values, strict=True)
        }
        return surgery.rebuilt(flat, _behind(by_tap, lambda named: _plain_bound(*named)))


def _operation(tensor: Any) -> Any:
    return tensor._keras_history.operation


def _behind(
    by_tap: dict[int, Any], bounding: Callable[[Any], Callable[[Any], Any]]
) -> Callable[[Any], Callable[..., Any]]:
    """Return what to call instead of each operation: those in `by_tap` with their bound behind."""

    def stand_in(operation: Any) -> Callable[..., Any]:
        if id(operation) not in by_tap:
            return operation  # type: ignore[no-any-return]
        bounded = bounding(by_tap[id(operation)])
        return lambda *values, **more: bounded(operation(*values, **more))

    return stand_in


def _plain_bound(name: str, bound: Array) -> Callable[[Any], Any]:
    """Return layers that keep channels at or below their bounds."""
    offset = [float(value) for value in bound]
    below, above = (
        keras.layers.Rescaling(-1.0, offset, name=f"{name}_{side}") for side in ("below", "bound")
    )
    rectifier = keras.layers.ReLU(name=f"{name}_rest")
    return lambda values: above(rectifier(below(values)))


def _moments(
    flat: keras.Model, sites: Sequence[Site], images: Images, batch_size: int
) -> tuple[list[Array], list[Array]]:
    """Return mean and standard deviation of each layer's channels on images, shape (C,) each."""
    taps = keras.Model(flat.inputs[0], [site.tap for site in sites])

    def sums(batch: Any) -> list[Any]:
        values = keras.tree.flatten(taps(batch, training=False))
        flattened = [tf.reshape(tf.cast(v, tf.float64), (-1, v.shape[-1])) for v in values]
        return [tf.stack([tf.reduce_sum(v, 0), tf.reduce_sum(v * v, 0)]) for v in flattened]

    call = tf.function(sums, autograph=False, reduce_retracing=True)
    totals: list[Any] = [0.0] * len(sites)
    for batch in batches(images, batch_size):
        parts = call(np.asarray(batch, np.float32))
        totals = [total + part.numpy() for total, part in zip(totals, parts, strict=True)]
    places = [int(np.prod(site.tap.shape[1:-1])) * len(images) for site in sites]
    means = [total[0] / count for total, count in zip(totals, places, strict=True)]
    spreads = [
        np.sqrt(np.maximum(0, total[1] / count - mean**2))
        for total, count, mean in zip(totals, places, means, strict=True)
    ]
    return [m.astype(np.float32) for m in means], [s.astype(np.float32) for s in spreads]
