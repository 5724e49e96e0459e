"""Classify mixes of images with a bank of overlays, many at a time.

A mix is a * image + b * overlay, not clipped. How mixes are made: see `mixing`.
"""

from __future__ import annotations

import copy
import json
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from badrepair.models.call_size import best_call_size
from badrepair.models.inference import images_a_call
from badrepair.models.logits import logits_model
from badrepair.models.mixing import plain_way, quick_way
from badrepair.models.surgery import copy_model

if TYPE_CHECKING:
    from collections.abc import Iterator

    import keras
    from numpy.typing import NDArray

    from badrepair.views import Array

# TensorFlow ships no types, so tensors are Any throughout this file.

# Prepared images that are in work at a time hold at most so many bytes.
WORK_BYTES = 2**27
# Calls of other sizes are filled up to a multiple of it: what is compiled is compiled for a size.
CALL_STEP = 32


@dataclass(frozen=True)
class Prepared:
    """Images that can be mixed with overlays.

    Args:
        values: What mixes are made of, one row an image, and rows that fill it up: what is compiled
            is compiled for a number of rows.
        rows: Which of the rows are the images.
    """

    values: Any
    rows: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, which: NDArray[np.int64]) -> Prepared:
        """Return some of the images."""
        return Prepared(self.values, self.rows[which])


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
        self._answers = _answering(classifier, overlays.shape[1:])
        quick = quick_way(classifier, overlays, weights) if shortcut else None
        self._way = quick or plain_way(classifier, overlays, weights)
        self._entropies = self._way.entropies()
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

    def answers(self, images: Array) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return the classes of the images themselves, and which of them are known, both (n,).

        They are not where a probability is no number.
        """
        parts = [self._answers(images[rows]) for rows in _pieces(len(images), self.mixes_a_call)]
        if not parts:
            return np.empty(0, np.int64), np.empty(0, dtype=bool)
        classes, known = (np.concatenate(one) for one in zip(*parts, strict=True))
        return classes, known

    def prepared(self, images: Array) -> Prepared:
        """Return images ready to be mixed.

        Args:
            images: Shape (n, H, W, C), float32.
        """
        parts = [
            self._way.prepare(tf.constant(images[rows]))
            for rows in _pieces(len(images), self.mixes_a_call)
        ]
        filled = tf.zeros((self._room(len(images)) - len(images), *self._way.bank.shape[1:]))
        values = tf.concat([*parts, tf.cast(filled, self._way.bank.dtype)], axis=0)
        return Prepared(values, np.arange(len(images), dtype=np.int32))

    def entropies(self, prepared: Prepared, first: int, last: int) -> NDArray[np.float64]:
        """Return the entropies of mixes in bits, shape (n, last - first).

        Args:
            prepared: The images.
            first: Number of the first overlay.
            last: Number of the overlay behind the last one.
        """
        rows = np.repeat(prepared.rows, last - first)
        columns = np.tile(np.arange(first, last, dtype=np.int32), len(prepared))
        found = np.empty(len(rows))
        for start in range(0, len(rows), self.mixes_a_call):
            part = slice(start, start + self.mixes_a_call)
            found[part] = self._bits(prepared.values, rows[part], columns[part])
        return found.reshape(len(prepared), last - first)

    def _bits(
        self, values: Any, rows: NDArray[np.int32], columns: NDArray[np.int32]
    ) -> NDArray[np.float32]:
        """Return the entropies of the mixes of one call."""
        count = len(rows)
        more = min(-(-count // CALL_STEP) * CALL_STEP, self.mixes_a_call) - count
        filled = (np.pad(numbers, (0, more)) for numbers in (rows, columns))
        bits: NDArray[np.float32] = self._entropies(values, self._way.bank, *filled).numpy()
        return bits[:count]

    def _room(self, images: int) -> int:
        """Return how many rows so many images are given: one of few numbers."""
        doubled = 1 << max(images - 1, 0).bit_length()
        return max(images, min(doubled, self.images_at_once))

    def _best_size(self) -> int:
        """Return the number of mixes a call that is quickest."""
        image, bank = self._way.prepare(tf.constant(self.overlays[:1])), self._way.bank

        def run(size: int) -> object:
            columns = np.arange(size, dtype=np.int32) % len(bank)
            return self._entropies(image, bank, 0 * columns, columns).numpy()

        network = json.dumps(self.model.get_config(), sort_keys=True, default=str)
        most = images_a_call(self.model, self.overlays.shape[1:])
        return best_call_size(f"{network} {bank.shape}", run, most=most)


def _answering(classifier: keras.Model, shape: tuple[int, ...]) -> Any:
    """Return a function from images to their classes, and to whether these are answers at all."""

    def answers(images: Any) -> tuple[Any, Any]:
        logits = classifier(images, training=False)
        shares = tf.nn.softmax(logits)  # NaN where a logit is, or is beyond all numbers
        known = tf.reduce_all(tf.math.is_finite(shares), axis=-1)
        return tf.argmax(logits, axis=-1), known

    signature = [tf.TensorSpec((None, *shape), tf.float32)]
    return tf.function(answers, autograph=False, input_signature=signature)


def _pieces(count: int, size: int) -> Iterator[slice]:
    """Yield slices of at most `size`, of nearly the same length, that cover `count`."""
    number = -(-count // size)
    length = -(-count // number) if number else 0
    for start in range(0, count, length or 1):
        yield slice(start, min(start + length, count))
