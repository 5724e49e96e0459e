"""Triggers that bend the image along a smooth field, as WaNet does.

Nguyen and Tran, "WaNet - Imperceptible Warping-based Backdoor Attack", ICLR 2021,
arXiv:2102.10369.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf


class Warp:
    """One field a suspect, given at a few places and smooth between them.

    Args:
        count: How many suspects.
        shape: (H, W, C) of an image.
        reach: How far a pixel moves at most, in pixels.
        grid: Places a side at which the field is free.
        seed: Fixes where the fields begin.
    """

    def __init__(
        self,
        count: int,
        shape: tuple[int, ...],
        *,
        reach: float = 2.0,
        grid: int = 4,
        seed: int | tuple[int, ...] = 0,
    ) -> None:
        random = np.random.default_rng(seed)
        self._reach = reach
        start = random.uniform(-0.15, 0.15, (count, grid, grid, 2)).astype(np.float32)
        self.variables = [keras.Variable(start, name="field")]
        self._size = shape[:2]

    def stamped(self, images: Any, which: Any) -> Any:
        """Return images bent along the fields of the suspects `which`."""
        coarse = self._reach * tf.tanh(tf.gather(self.variables[0].value, which))
        return bent(images, tf.image.resize(coarse, self._size, method="bicubic"))

    def excess(self) -> Any:
        """Return 0: no pixel can move too far."""
        return tf.zeros(())


def bent(images: Any, field: Any) -> Any:
    """Return images read at other places, between four neighbours; at the edge beyond it.

    Args:
        images: Shape (n, H, W, C).
        field: How far down and to the right of each pixel it is read, shape (n, H, W, 2).
    """
    height, width = images.shape[1:3]
    rows = _between(tf.range(height, dtype=tf.float32)[:, None] + field[..., 0], height)
    columns = _between(tf.range(width, dtype=tf.float32)[None, :] + field[..., 1], width)
    read = 0.0
    for row, down in rows:
        for column, right in columns:
            pixels = tf.gather_nd(images, tf.stack([row, column], axis=-1), batch_dims=1)
            read += (down * right)[..., None] * pixels
    return read


def _between(places: Any, size: int) -> list[tuple[Any, Any]]:
    """Return the two whole places that each place lies between, with their shares."""
    kept = tf.clip_by_value(places, 0.0, size - 1.0)
    first = tf.floor(kept)
    share = kept - first
    second = tf.minimum(first + 1, size - 1.0)
    return [(tf.cast(first, tf.int32), 1 - share), (tf.cast(second, tf.int32), share)]
