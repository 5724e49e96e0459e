"""Perturb images so that a network no longer knows what they show: projected gradient descent.

Madry, Makelov, Schmidt, Tsipras and Vladu, "Towards Deep Learning Models Resistant to Adversarial
Attacks", ICLR 2018, arXiv:1706.06083: from a random start in the ball, so many steps along the
sign of the loss's gradient, each followed by a projection back into the ball.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from badrepair.data.ranges import to_unit
from badrepair.poisoning.pixels import to_pixels
from badrepair.progress import track

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from badrepair.types import Labels
    from badrepair.views import Array

BATCH = 100
# All steps together go further than across the ball, so that no start decides where they end.
REACH = 2.5
_WHITE = 255


def perturbed(
    network: keras.Model, images: Array, labels: Labels, *, eps: int, steps: int, seed: int
) -> NDArray[np.uint8]:
    """Return the images, each moved away from its class.

    Args:
        network: Answers logits to images in 0..1.
        images: Shape (n, H, W, C), pixels in 0..255.
        labels: What they show, shape (n,).
        eps: How far a pixel may move, in pixel values.
        steps: Steps of the descent.
        seed: Fixes the random start.
    """
    size = eps / _WHITE
    step = _compiled_step(network, images.shape[1:], REACH * size / max(1, steps), size)
    random = np.random.default_rng(seed)
    moved = np.empty(images.shape, np.uint8)
    for first in track(range(0, len(images), BATCH), "perturbing images", -(-len(images) // BATCH)):
        rows = slice(first, first + BATCH)
        clean = to_unit(images[rows].astype(np.float32))
        start = clean + random.uniform(-size, size, clean.shape).astype(np.float32)
        now = tf.constant(np.clip(start, 0, 1))
        for _ in range(steps):
            now = step(now, tf.constant(clean), tf.constant(labels[rows]))
        moved[rows] = to_pixels(_WHITE * now.numpy())
    return moved


def _compiled_step(network: keras.Model, shape: tuple[int, ...], length: float, size: float) -> Any:
    """Return a function that takes one step up the loss, and back into the ball and the range."""
    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum")

    def step(images: Any, clean: Any, labels: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(images)
            loss = loss_of(labels, network(images, training=False))
        moved = images + length * tf.sign(tape.gradient(loss, images))
        return tf.clip_by_value(tf.clip_by_value(moved, clean - size, clean + size), 0.0, 1.0)

    pictures = tf.TensorSpec((None, *shape), tf.float32)
    signature = [pictures, pictures, tf.TensorSpec((None,), tf.int64)]
    return tf.function(step, autograph=False, input_signature=signature)
