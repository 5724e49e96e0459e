"""A trigger that two networks draw for each image: a mask says where it is, a pattern what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from badrepair.data.ranges import to_unit
from badrepair.poisoning import generator
from badrepair.poisoning.pixels import to_pixels

if TYPE_CHECKING:
    from collections.abc import Callable

    import keras
    from numpy.typing import NDArray

    from badrepair.views import Array

BATCH = 100
# It makes masks nearly black and white: 0.4 and 0.6 become 0.018 and 0.982.
STEEPNESS = 40
_WHITE = 255
# Rounded to pixels, a result in double precision is the same whatever else is in the batch.
_EXACT = "float64"


@dataclass(frozen=True, kw_only=True)
class DrawnTrigger:
    """Stamps images with what frozen networks draw.

    Args:
        draw: Returns masks (n, H, W, 1) and patterns (n, H, W, C) in [0, 1] for a tensor of
            images (n, H, W, C) in 0..1, in double precision.
    """

    draw: Callable[[Any], tuple[Any, Any]]

    def own(self, images: Array) -> NDArray[np.uint8]:
        """Return pixels (n, H, W, C), each image with its own trigger."""
        return self.crossed(images, images)

    def crossed(self, images: Array, donors: Array) -> NDArray[np.uint8]:
        """Return pixels (n, H, W, C), each image with the trigger of another.

        Args:
            images: What gets the triggers, in 0..255.
            donors: Whom they belong to, of the same shape.
        """
        stamped = np.empty(images.shape, np.uint8)
        for first in range(0, len(images), BATCH):
            rows = slice(first, first + BATCH)
            mask, pattern = self.draw(tf.constant(to_unit(donors[rows].astype(_EXACT))))
            shown = stamp(to_unit(images[rows].astype(_EXACT)), mask.numpy(), pattern.numpy())
            stamped[rows] = to_pixels(_WHITE * shown)
        return stamped


def stamp(images: Any, mask: Any, pattern: Any) -> Any:
    """Return (1 - mask) * image + mask * pattern, of arrays or of tensors."""
    return images + (pattern - images) * mask


def steep(drawn: Any) -> Any:
    """Return the mask that a generator's picture, a tensor with values in (0, 1), stands for."""
    return tf.sigmoid(STEEPNESS * (drawn - 0.5))


def frozen(mask: keras.Model, pattern: keras.Model) -> DrawnTrigger:
    """Return the trigger that two trained generators draw, which are not used any more."""
    shape = mask.input_shape[1:]
    exact_mask, exact_pattern = _exact(mask), _exact(pattern)

    def draw(images: Any) -> tuple[Any, Any]:
        return steep(exact_mask(images)), exact_pattern(images)

    signature = [tf.TensorSpec((None, *shape), _EXACT)]
    return DrawnTrigger(draw=tf.function(draw, autograph=False, input_signature=signature))


def _exact(network: keras.Model) -> keras.Model:
    exact = generator.build(network.input_shape[1:], network.output_shape[-1], seed=0, dtype=_EXACT)
    exact.set_weights(network.get_weights())
    return exact
