"""Triggers that cover a part of the image, as in Neural Cleanse.

Wang et al., "Neural Cleanse: Identifying and Mitigating Backdoor Attacks in Neural Networks",
IEEE S&P 2019: a mask that says how much of each pixel is covered, and a pattern that covers it.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

# A mask begins nearly transparent, so that it must earn what it covers.
_FAINT = -2.0


class Patch:
    """One mask and one pattern a suspect.

    Args:
        count: How many suspects.
        shape: (H, W, C) of an image.
        pixels: The darkest and the lightest value of an image.
        area: Part of an image that a mask may cover, in (0, 1].
        seed: Fixes where masks and patterns begin.
    """

    def __init__(
        self,
        count: int,
        shape: tuple[int, ...],
        pixels: tuple[float, float],
        *,
        area: float = 0.08,
        seed: int | tuple[int, ...] = 0,
    ) -> None:
        random = np.random.default_rng(seed)
        self._low, self._high = pixels
        self._area = area
        mask = random.normal(_FAINT, 0.5, (count, *shape[:2], 1)).astype(np.float32)
        pattern = random.normal(0, 1, (count, *shape)).astype(np.float32)
        self.variables = [
            keras.Variable(mask, name="mask"),
            keras.Variable(pattern, name="pattern"),
        ]

    def stamped(self, images: Any, which: Any) -> Any:
        """Return images that the patterns of the suspects `which` cover."""
        mask, pattern = (tf.sigmoid(tf.gather(one.value, which)) for one in self.variables)
        return (1 - mask) * images + mask * (self._low + (self._high - self._low) * pattern)

    def excess(self) -> Any:
        """Return by how much of an image masks cover more than they may, over all suspects."""
        covered = tf.reduce_mean(tf.sigmoid(self.variables[0].value), axis=(1, 2, 3))
        return tf.reduce_mean(tf.nn.relu(covered - self._area))
