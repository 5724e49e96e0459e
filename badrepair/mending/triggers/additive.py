"""Triggers that are added to the whole image, the same for every image, each pixel a little."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from badrepair.mending.pixels import within


class Additive:
    """One picture a suspect that is added to images.

    Args:
        count: How many suspects.
        shape: (H, W, C) of an image.
        pixels: The darkest and the lightest value of an image.
        size: How far a pixel moves at most, as a part of that range, in (0, 1].
        seed: Fixes where the pictures begin.
    """

    def __init__(
        self,
        count: int,
        shape: tuple[int, ...],
        pixels: tuple[float, float],
        *,
        size: float = 0.25,
        seed: int | tuple[int, ...] = 0,
    ) -> None:
        random = np.random.default_rng(seed)
        self._pixels = pixels
        self._reach = size * (pixels[1] - pixels[0])
        start = random.uniform(-0.2, 0.2, (count, *shape)).astype(np.float32)
        self.variables = [keras.Variable(start, name="picture")]

    def stamped(self, images: Any, which: Any) -> Any:
        """Return images with the pictures of the suspects `which` added."""
        added = self._reach * tf.tanh(tf.gather(self.variables[0].value, which))
        return within(images + added, self._pixels)

    def excess(self) -> Any:
        """Return 0: no pixel can move too far."""
        return tf.zeros(())
