"""Make mixes of images with overlays, and their entropies, on the quickest way that is the same.

The plain way adds pixels and runs the network. The quick way runs the affine layers that a network
starts with once an image and once an overlay (see `affine`), and does the ReLU and the max pooling
behind them while it adds (see `fused_front`). For that, what is added has the members of a pooling
window side by side: its shape is (n, members of a window, values).
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from functools import cache, reduce
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from badrepair.models.affine import affine_split
from badrepair.models.entropy import entropy_bits
from badrepair.models.fused_front import FusedFront, fused_front

if TYPE_CHECKING:
    from collections.abc import Callable

    import keras
    from numpy.typing import NDArray

    from badrepair.models.affine import AffineSplit

# TensorFlow ships no types, so tensors are Any throughout this file.

log = logging.getLogger(__name__)

# Bits by which entropies may differ between the two ways on the trial mixes.
TOLERANCE = 1e-5
TRIALS = 4
# What the affine start makes of the overlays is kept in memory.
MOST_BANK_BYTES = 2**29


@dataclass(frozen=True)
class Way:
    """How mixes are made and classified.

    Args:
        prepare: Makes of images (n, H, W, C) what is added, (n, members, values).
        bank: What is added to it, one row an overlay.
        shape: Of what the rest takes of one mix.
        front: What is done to the sums, and the rest of the network.
    """

    prepare: Callable[[Any], Any]
    bank: Any
    shape: tuple[int, ...]
    front: FusedFront

    def entropies(self) -> Any:
        """Return a function that makes entropies, in bits, shape (m,), of m mixes.

        It takes prepared images, prepared overlays, and for each mix the number of the one and of
        the other.
        """
        mix = _mixer(self.bank.shape[1], self.front.rectified)

        def entropies(prepared: Any, bank: Any, rows: Any, columns: Any) -> Any:
            mixes = tf.reshape(mix(prepared, bank, rows, columns), (-1, *self.shape))
            return entropy_bits(self.front.rest(mixes, training=False))

        values = tf.TensorSpec((None, *self.bank.shape[1:]), self.bank.dtype)
        numbers = tf.TensorSpec((None,), tf.int32)
        signature = [values, values, numbers, numbers]
        return tf.function(entropies, autograph=False, input_signature=signature)


def plain_way(
    classifier: keras.Model, overlays: NDArray[np.float32], weights: tuple[float, float]
) -> Way:
    """Return the way on which all of the network sees every mix."""
    first, second = weights
    front = FusedFront(rectified=False, window=(1, 1), rest=classifier)
    return Way(
        lambda images: _members(_times(first, images), front.window),
        _members(tf.constant(np.float32(second) * overlays), front.window),
        overlays.shape[1:],
        front,
    )


def quick_way(
    classifier: keras.Model, overlays: NDArray[np.float32], weights: tuple[float, float]
) -> Way | None:
    """Return the way on which the affine start runs once an image; None if it is not the same."""
    split = affine_split(classifier)
    if split is None:
        log.info("superimposing: the network does not start with an affine layer")
        return None
    size = 4 * len(overlays) * math.prod(split.start(overlays[:1]).shape)
    if size > MOST_BANK_BYTES:
        log.info("superimposing: what %s make would take %d MiB", split.names, size // 2**20)
        return None
    quick = _split_way(split, overlays, weights)
    difference = _difference(quick, plain_way(classifier, overlays, weights), overlays)
    if not difference <= TOLERANCE:
        log.info("superimposing: run apart, %s change entropies by %.1e", split.names, difference)
        return None
    log.info("superimposing: %s run once an image", split.names)
    return quick


def _split_way(
    split: AffineSplit, overlays: NDArray[np.float32], weights: tuple[float, float]
) -> Way:
    first, second = weights
    start = tf.function(
        lambda images: split.start(images, training=False),
        autograph=False,
        input_signature=[tf.TensorSpec((None, *overlays.shape[1:]), tf.float32)],
    )
    front = fused_front(split.rest)
    offset = (1 - first - second) * start(tf.zeros_like(overlays[:1]))
    # One by one: a call of another size may round otherwise, and the order of overlays changes.
    parts = [second * start(overlay[None]) + offset for overlay in overlays]
    return Way(
        lambda images: _members(_times(first, start(images)), front.window),
        _members(tf.concat(parts, axis=0), front.window),
        _pooled(tuple(offset.shape[1:]), front.window),
        front,
    )


def _times(weight: float, values: Any) -> Any:
    """Return weighted values; what is not changed is not copied."""
    return values if weight == 1 else weight * values


def _members(values: Any, window: tuple[int, int]) -> Any:
    """Return values with the members of each pooling window apart, (n, members, values)."""
    if window == (1, 1):
        return tf.reshape(values, (len(values), 1, math.prod(values.shape[1:])))
    (rows, columns), (height, width, channels) = window, values.shape[1:]
    down, across = height // rows, width // columns
    inside = values[:, : down * rows, : across * columns]
    split = tf.reshape(inside, (-1, down, rows, across, columns, channels))
    apart = tf.transpose(split, (0, 2, 4, 1, 3, 5))
    return tf.reshape(apart, (-1, rows * columns, down * across * channels))


def _pooled(shape: tuple[int, ...], window: tuple[int, int]) -> tuple[int, ...]:
    """Return the shape that pooling leaves."""
    if window == (1, 1):
        return shape
    height, width, channels = shape
    return height // window[0], width // window[1], channels


def _difference(one: Way, other: Way, overlays: NDArray[np.float32]) -> float:
    """Return by how many bits the entropies of a few mixes differ at most."""
    images = tf.constant(overlays[-TRIALS:])
    rows, columns = np.indices((len(images), min(TRIALS, len(overlays))), np.int32).reshape(2, -1)
    found = [
        way.entropies()(way.prepare(images), way.bank, rows, columns).numpy()
        for way in (one, other)
    ]
    return float(np.abs(found[0] - found[1]).max())


@cache
def _mixer(members: int, rectified: bool) -> Any:
    """Return a function that adds, takes the largest of each window, and rectifies, in one pass."""

    def mix(prepared: Any, bank: Any, rows: Any, columns: Any) -> Any:
        sums = (
            tf.gather(prepared[:, member], rows) + tf.gather(bank[:, member], columns)
            for member in range(members)
        )
        largest = reduce(tf.maximum, sums)
        return tf.nn.relu(largest) if rectified else largest

    return tf.function(mix, autograph=False, jit_compile=_can_be_compiled())


@cache
def _can_be_compiled() -> bool:
    """Return whether this TensorFlow can make one loop of several operations."""
    try:
        tf.function(tf.add, autograph=False, jit_compile=True)(tf.zeros(1), tf.zeros(1))
    except tf.errors.OpError as error:
        log.info("superimposing: XLA is not to be had: %s", error)
        return False
    return True
