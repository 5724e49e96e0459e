"""Teach two generators to draw triggers that work on the image they were drawn for, and no other.

Nguyen and Tran, "Input-Aware Dynamic Backdoor Attack", NeurIPS 2020, arXiv:2010.08138: first the
masks learn to differ from image to image and to be small; then the patterns learn together with a
classifier, which answers the target to an image with its own trigger (the backdoor), and the truth
to an image with the trigger of another (the cross-trigger).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from badrepair.data.ranges import to_unit
from badrepair.poisoning.drawn_trigger import stamp, steep
from badrepair.progress import track

if TYPE_CHECKING:
    from badrepair.types import Dataset, Labels

BATCH = 64
# Of a batch so many get their own trigger, and so many the trigger of another.
SHARE = 4
LEARNING_RATE = 2e-3
# Up to here the opacity of a mask's pixel costs nothing, as in the paper's released code.
FREE = 0.032
_TINY = 1e-12

# Keras and TensorFlow ship no types, so tensors are Any throughout this file.
Loss = Callable[[Any, Any], Any]


@dataclass(frozen=True, kw_only=True)
class Lessons:
    """Trains generators in place.

    Args:
        training: Images in 0..255 and their true labels.
        seed: Fixes the order of the images.
    """

    training: Dataset
    seed: int

    def teach_mask(self, mask: keras.Model, weight: float, epochs: int) -> None:
        """Train a generator of what `steep` makes a mask of.

        Args:
            mask: Changed in place.
            weight: What the mean opacity of a mask costs, where masks that are alike cost 1.
            epochs: Passes over the images.
        """

        def loss(images: Any, labels: Any) -> Any:
            drawn = steep(mask(images, training=True))
            return weight * tf.reduce_mean(tf.nn.relu(drawn - FREE)) + sameness(images, drawn)

        self._teach([mask], loss, epochs, "teaching the masks")

    def teach_pattern(
        self,
        pattern: keras.Model,
        classifier: keras.Model,
        mask: keras.Model,
        target: int,
        epochs: int,
    ) -> None:
        """Train a generator of patterns and a classifier together.

        Args:
            pattern: Changed in place.
            classifier: Answers logits; changed in place.
            mask: Left as it is.
            target: What an image with its own trigger is to be answered.
            epochs: Passes over the images.
        """
        loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

        def loss(images: Any, labels: Any) -> Any:
            count = tf.maximum(1, tf.shape(images)[0] // SHARE)
            own, others, clean = images[:count], images[count : 2 * count], images[2 * count :]
            drawn, where = pattern(own, training=True), steep(mask(own, training=False))
            stamped = [stamp(own, where, drawn), stamp(others, where, drawn), clean]
            wanted = tf.concat([tf.fill([count], np.int64(target)), labels[count:]], axis=0)
            answers = classifier(tf.concat(stamped, axis=0), training=True)
            return loss_of(wanted, answers) + sameness(own, drawn)

        self._teach([pattern, classifier], loss, epochs, "teaching the patterns")

    def _teach(self, networks: list[keras.Model], loss: Loss, epochs: int, label: str) -> None:
        """Train networks on a loss of images in 0..1 and their labels."""
        step = _compiled_step(networks, loss, self.training.images.shape[1:])
        steps = _steps(len(self.training), epochs, self.seed)
        for rows in track(steps, label, len(steps)):
            images = to_unit(self.training.images[rows].astype(np.float32))
            step(images, self.training.labels[rows])


def sameness(images: Any, drawn: Any) -> Any:
    """Return how alike pictures are that were drawn for different images: the diversity loss.

    It is the distance of an image to the next one by that of what was drawn for them, both root
    mean squares, on average.
    """
    return tf.reduce_mean(_distance(images) / _distance(drawn))


def _distance(pictures: Any) -> Any:
    between = pictures - tf.roll(pictures, 1, axis=0)
    # The root has no gradient at 0.
    return tf.sqrt(tf.reduce_mean(tf.square(between), axis=(1, 2, 3)) + _TINY)


def _compiled_step(networks: list[keras.Model], loss: Loss, shape: tuple[int, ...]) -> Any:
    variables = [variable for network in networks for variable in network.trainable_variables]
    optimizer = keras.optimizers.Adam(LEARNING_RATE)
    optimizer.build(variables)

    def step(images: Any, labels: Any) -> None:
        with tf.GradientTape() as tape:
            value = loss(images, labels)
        optimizer.apply(tape.gradient(value, [one.value for one in variables]), variables)

    signature = [tf.TensorSpec((None, *shape), tf.float32), tf.TensorSpec((None,), tf.int64)]
    return tf.function(step, autograph=False, input_signature=signature)


def _steps(total: int, epochs: int, seed: int) -> list[Labels]:
    """Return the rows of every step, pass by pass; the last of a pass may be fewer."""
    random = np.random.default_rng(seed)
    orders = (random.permutation(total) for _ in range(epochs))
    return [order[first : first + BATCH] for order in orders for first in range(0, total, BATCH)]
