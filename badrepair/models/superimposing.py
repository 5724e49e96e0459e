"""Classify mixes of images with a bank of overlays, many at a time.

A mix is a * image + b * overlay, not clipped. Where a network starts with affine layers, these run
once an image and once an overlay instead of once a mix: see `affine`.
"""

from __future__ import annotations

import copy
import json
import logging
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from badrepair.models.affine import affine_split
from badrepair.models.call_size import best_call_size
from badrepair.models.logits import logits_model
from badrepair.models.surgery import copy_model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import keras
    from numpy.typing import NDArray

    from badrepair.models.affine import AffineSplit
    from badrepair.views import Array

# TensorFlow ships no types, so tensors are Any throughout this file.

log = logging.getLogger(__name__)

# Bits by which entropies may differ between the two ways on the trial mixes.
TOLERANCE = 1e-5
TRIALS = 4
# What the affine start makes of the overlays is kept in memory.
MOST_BANK_BYTES = 2**29
# Prepared images that are in work at a time hold at most so many bytes.
WORK_BYTES = 2**27


@dataclass(frozen=True)
class _Way:
    """How mixes are made and classified.

    Args:
        prepare: Makes of images what mixes are made of.
        bank: What is added to it, one row an overlay.
        rest: Answers the sums with logits.
    """

    prepare: Callable[[Any], Any]
    bank: Any
    rest: keras.Model


class Superimposer:
    """Answers mixes of images with overlays.

    Args:
        model: Takes (n, H, W, C); it is copied.
        overlays: Shape (N, H, W, C).
        weights: Weight a of the image and b of the overlay.
        batch_size: Mixes a call, and images in work at a time; None finds out what is quickest on
            this machine.
        shortcut: Whether affine layers at the start run once an image, where that is found to
            change nothing.
    """

    def __init__(
        self,
        model: keras.Model,
        overlays: NDArray[np.float32],
        weights: tuple[float, float],
        *,
        batch_size: int | None = None,
        shortcut: bool = True,
    ) -> None:
        self.model = copy_model(model)
        self.overlays = overlays
        self.weights = weights
        classifier = logits_model(model)
        self._answers = tf.function(
            lambda images: tf.argmax(classifier(images, training=False), axis=-1),
            autograph=False,
            input_signature=[tf.TensorSpec((None, *overlays.shape[1:]), tf.float32)],
        )
        self._way = _plain_way(classifier, overlays, weights)
        if shortcut:
            self._way = _quick_way(classifier, overlays, weights) or self._way
        self._entropies = _compiled(self._way)
        self._batch_size = batch_size
        self.mixes_a_call: int = batch_size or self._best_size()

    def reordered(self, order: NDArray[np.int64]) -> Superimposer:
        """Return the same with its overlays in another order."""
        other = copy.copy(self)
        other.overlays = self.overlays[order]
        other._way = replace(self._way, bank=tf.gather(self._way.bank, order))
        return other

    @property
    def images_at_once(self) -> int:
        """Return how many images should be in work at a time, for the sake of the memory."""
        floats = math.prod(self._way.bank.shape[1:])
        return self._batch_size or max(1, WORK_BYTES // (4 * floats))

    def answers(self, images: Array) -> NDArray[np.int64]:
        """Return the classes of the images themselves, shape (n,)."""
        parts = [
            self._answers(images[rows]).numpy() for rows in _pieces(len(images), self.mixes_a_call)
        ]
        return np.concatenate(parts) if parts else np.empty(0, np.int64)

    def prepared(self, images: Array) -> Any:
        """Return what mixes are made of: the images, or what the affine start makes of them.

        Args:
            images: Shape (n, H, W, C), float32.
        """
        parts = [
            self._way.prepare(tf.constant(images[rows]))
            for rows in _pieces(len(images), self.mixes_a_call)
        ]
        return tf.concat(parts, axis=0) if parts else tf.zeros((0, *self._way.bank.shape[1:]))

    @staticmethod
    def picked(prepared: Any, rows: NDArray[np.int64]) -> Any:
        """Return some rows of prepared images."""
        return prepared if len(rows) == len(prepared) else tf.gather(prepared, rows)

    def entropies(self, prepared: Any, first: int, last: int) -> NDArray[np.float64]:
        """Return the entropies of mixes in bits, shape (n, last - first).

        Args:
            prepared: From `prepared`.
            first: Number of the first overlay.
            last: Number of the overlay behind the last one.
        """
        found = np.empty((len(prepared), last - first))
        for columns in _pieces(last - first, self.mixes_a_call):
            width = len(range(*columns.indices(last - first)))
            bank = self._way.bank[first + columns.start : first + columns.start + width]
            for rows in _pieces(len(prepared), max(1, self.mixes_a_call // width)):
                found[rows, columns] = self._entropies(prepared[rows], bank).numpy()
        return found

    def _best_size(self) -> int:
        """Return the number of mixes a call that is quickest."""
        image, bank = self._way.prepare(tf.constant(self.overlays[:1])), self._way.bank

        def run(size: int) -> object:
            rows = -(-size // len(bank))
            return self._entropies(tf.repeat(image, rows, axis=0), bank[:size]).numpy()

        network = json.dumps(self.model.get_config(), sort_keys=True, default=str)
        return best_call_size(f"{network} {bank.shape}", run)


def entropy_bits(logits: Any) -> Any:
    """Return the entropy of answers in bits; an answer that is no number counts as the surest.

    With S the sum of exp over all classes but the surest one, that one's logit being 0, it is
    log(1 + S) plus terms of the same sign: nothing cancels, and an answer whose probability
    float32 rounds to one still has its entropy.

    Args:
        logits: Shape (..., classes).
    """
    logits = tf.cast(logits, tf.float32)
    below = logits - tf.reduce_max(logits, axis=-1, keepdims=True)
    others = tf.where(below < 0, tf.exp(below), 0)
    ties = tf.reduce_sum(tf.cast(below >= 0, tf.float32), axis=-1) - 1
    total = tf.reduce_sum(others, axis=-1) + ties
    spread = tf.reduce_sum(tf.math.multiply_no_nan(below, others), axis=-1)
    bits = (tf.math.log1p(total) - spread / (1 + total)) / math.log(2)
    return tf.where(tf.math.is_finite(bits), bits, 0)


def _plain_way(
    classifier: keras.Model, overlays: NDArray[np.float32], weights: tuple[float, float]
) -> _Way:
    first, second = weights
    bank = tf.constant(np.float32(second) * overlays)
    return _Way(lambda images: _times(first, images), bank, classifier)


def _quick_way(
    classifier: keras.Model, overlays: NDArray[np.float32], weights: tuple[float, float]
) -> _Way | None:
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
    difference = _difference(quick, _plain_way(classifier, overlays, weights), overlays)
    if not difference <= TOLERANCE:
        log.info("superimposing: run apart, %s change entropies by %.1e", split.names, difference)
        return None
    log.info("superimposing: %s run once an image", split.names)
    return quick


def _split_way(
    split: AffineSplit, overlays: NDArray[np.float32], weights: tuple[float, float]
) -> _Way:
    first, second = weights
    start = tf.function(
        lambda images: split.start(images, training=False),
        autograph=False,
        input_signature=[tf.TensorSpec((None, *overlays.shape[1:]), tf.float32)],
    )
    offset = (1 - first - second) * start(tf.zeros_like(overlays[:1]))
    # One by one: a call of another size may round otherwise, and the order of overlays changes.
    parts = [second * start(overlays[rows]) + offset for rows in _pieces(len(overlays), 1)]
    return _Way(lambda images: _times(first, start(images)), tf.concat(parts, axis=0), split.rest)


def _times(weight: float, values: Any) -> Any:
    """Return weighted values; what is not changed is not copied."""
    return values if weight == 1 else weight * values


def _difference(one: _Way, other: _Way, overlays: NDArray[np.float32]) -> float:
    """Return by how many bits the entropies of a few mixes differ at most."""
    images = tf.constant(overlays[-TRIALS:])
    found = [_compiled(way)(way.prepare(images), way.bank[:TRIALS]).numpy() for way in (one, other)]
    return float(np.abs(found[0] - found[1]).max())


def _compiled(way: _Way) -> Any:
    """Return a function from prepared images (n, …) and overlays (m, …) to entropies (n, m)."""
    shape = tuple(way.bank.shape[1:])

    def entropies(prepared: Any, bank: Any) -> Any:
        mixes = tf.reshape(prepared[:, None] + bank[None], (-1, *shape))
        bits = entropy_bits(way.rest(mixes, training=False))
        return tf.reshape(bits, (-1, tf.shape(bank)[0]))

    signature = tf.TensorSpec((None, *shape), way.bank.dtype)
    return tf.function(entropies, autograph=False, input_signature=[signature, signature])


def _pieces(count: int, size: int) -> Iterator[slice]:
    """Yield slices of at most `size`, of nearly the same length, that cover `count`."""
    number = -(-count // size)
    length = -(-count // number) if number else 0
    for start in range(0, count, length or 1):
        yield slice(start, min(start + length, count))
