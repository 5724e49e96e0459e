"""Train a network on a data set, reproducibly, and hold pruned weights at exactly zero."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from badrepair.models.logits import is_normalised
from badrepair.progress import track

if TYPE_CHECKING:
    from badrepair.models.surgery import Mask
    from badrepair.types import Dataset

AfterEpoch = Callable[[int], None]


def train(
    model: keras.Model,
    dataset: Dataset,
    *,
    epochs: int,
    learning_rate: float,
    batch_size: int,
    seed: int,
    held_at_zero: Sequence[Mask] = (),
    after_epoch: AfterEpoch = lambda epoch: None,
    label: str = "training",
) -> None:
    """Train the network in place with Adam on the cross-entropy.

    Args:
        model: Changed in place.
        dataset: Images (N, H, W, C) and labels (N,).
        epochs: Passes over the data.
        learning_rate: Adam's step.
        batch_size: Images a step; the last step of a pass may be smaller.
        seed: Fixes the order of the images, and dropout.
        held_at_zero: Variables with masks; a weight is zero after every step where its mask is.
        after_epoch: Called with 1, 2, … after each pass.
        label: What the progress bar says.
    """
    _seed_layers(model, seed)
    step = _compiled_step(model, learning_rate, held_at_zero)
    random = np.random.default_rng(seed)
    steps = -(-len(dataset) // batch_size)
    for progress in track(range(epochs * steps), label, epochs * steps):
        epoch, position = divmod(progress, steps)
        if position == 0:
            order = random.permutation(len(dataset))
        rows = order[position * batch_size : (position + 1) * batch_size]
        step(np.asarray(dataset.images[rows], np.float32), dataset.labels[rows])
        if position == steps - 1:
            after_epoch(epoch + 1)


def _compiled_step(model: keras.Model, learning_rate: float, held_at_zero: Sequence[Mask]) -> Any:
    optimizer = keras.optimizers.Adam(learning_rate)
    optimizer.build(model.trainable_variables)
    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=not is_normalised(model))

    def step(images: Any, labels: Any) -> None:
        with tf.GradientTape() as tape:
            loss = loss_of(labels, model(images, training=True)) + sum(model.losses)
        variables = model.trainable_variables
        optimizer.apply(tape.gradient(loss, [v.value for v in variables]), variables)
        for variable, mask in held_at_zero:
            variable.assign(variable * mask)

    return tf.function(step, autograph=False, reduce_retracing=True)


def _seed_layers(model: keras.Model, seed: int) -> None:
    """Give every random layer, such as Dropout, its own reproducible stream."""
    for index, layer in enumerate(model._flatten_layers()):
        generator = getattr(layer, "seed_generator", None)
        if generator is not None:
            generator.state.assign(np.array([seed % 2**32, index], dtype=np.uint32))
