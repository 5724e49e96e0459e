"""Train a network on a data set, reproducibly, and hold pruned weights at exactly zero.

What a pass over the data does depends on the weights, the optimizer's state, the seed and the
number of the pass alone, so that training can be taken up again after any pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from badrepair.errors import ModelError
from badrepair.models.augmentation import augmented
from badrepair.models.logits import is_normalised
from badrepair.progress import track

if TYPE_CHECKING:
    from badrepair.models.augmentation import Augment
    from badrepair.models.surgery import Mask
    from badrepair.types import Dataset
    from badrepair.views import Array

# Training ends early where it returns True.
AfterEpoch = Callable[[int], bool | None]

# Keras seeds a random layer with two words of 32 bits.
_WORD = 2**32


class Trainer:
    """Trains a network in place with Adam on the cross-entropy, pass by pass.

    Args:
        model: Changed in place.
        dataset: Images (N, H, W, C) and labels (N,).
        learning_rate: Adam's step.
        batch_size: Images a step; the last step of a pass may be smaller.
        seed: Fixes the order of the images, augmentation and dropout, pass by pass.
        held_at_zero: Variables with masks; a weight is zero after every step where its mask is.
        augment: How the images are varied before each step.
        decay_over: After how many passes Adam's step has fallen to zero, along half a cosine;
            None keeps it.
    """

    def __init__(
        self,
        model: keras.Model,
        dataset: Dataset,
        *,
        learning_rate: float,
        batch_size: int,
        seed: int,
        held_at_zero: Sequence[Mask] = (),
        augment: Augment = "none",
        decay_over: int | None = None,
    ) -> None:
        self.model = model
        self.held_at_zero = held_at_zero
        self._dataset = dataset
        self._batch_size = batch_size
        self._seed = seed
        self._learning_rate, self._decay_over = learning_rate, decay_over
        self._optimizer = keras.optimizers.Adam(learning_rate)
        self._optimizer.build(model.trainable_variables)
        self._step = self._compiled_step(augment)

    def run(self, epochs: range, after_epoch: AfterEpoch, label: str = "training") -> None:
        """Run passes under one progress bar, until `after_epoch` returns True for one.

        Args:
            epochs: Numbers of the passes; a number decides about all randomness of its pass.
            after_epoch: Called with the number of each pass after it.
            label: What the progress bar says.

        Raises:
            ModelError: If every layer of the network is frozen.
        """
        if epochs and not self.model.trainable_variables:
            raise ModelError(
                "NothingToTrain",
                self.model.name,
                f"expected weights to train, found all {len(self.model.weights)} frozen",
                "--epochs 0 leaves them as they are",
            )
        # The steps are taken as they are drawn, so that a bar ends well where training ends early.
        steps = self._steps(epochs, after_epoch)
        for _ in track(steps, label, len(epochs) * self._steps_a_pass()):
            pass

    def epoch(self, number: int) -> Iterator[None]:
        """Run one pass over the data; yield after every step."""
        random = np.random.default_rng([self._seed, number])
        order = random.permutation(len(self._dataset))
        stream = random.integers(2**31)
        _seed_layers(self.model, random)
        _hold(self.held_at_zero)  # a NaN in a pruned channel must not reach the first loss
        for position in range(self._steps_a_pass()):
            rows = order[position * self._batch_size :][: self._batch_size]
            images = np.asarray(self._dataset.images[rows], np.float32)
            labels = np.asarray(self._dataset.labels[rows], np.int64)
            self._slow_down(number, position)
            self._step(images, labels, np.array([stream, position], np.int64))
            yield

    def state(self) -> list[Array]:
        """Return what Adam has learnt of the gradients; the weights are the network's own."""
        return [variable.numpy() for variable in self._optimizer.variables]

    def restore(self, state: Sequence[Array]) -> None:
        """Go on from what `state` returned."""
        for variable, values in zip(self._optimizer.variables, state, strict=True):
            variable.assign(values)

    def _steps(self, epochs: range, after_epoch: AfterEpoch) -> Iterator[None]:
        for number in epochs:
            yield from self.epoch(number)
            if after_epoch(number):
                return

    def _slow_down(self, number: int, position: int) -> None:
        """Set Adam's step for one step of a pass: Loshchilov and Hutter, arXiv:1608.03983."""
        if self._decay_over is not None:
            part = (number - 1 + position / self._steps_a_pass()) / self._decay_over
            self._optimizer.learning_rate = self._learning_rate * (1 + np.cos(np.pi * part)) / 2

    def _steps_a_pass(self) -> int:
        return -(-len(self._dataset) // self._batch_size)

    def _compiled_step(self, augment: Augment) -> Any:
        # Nothing here refers to the trainer: its images' file is closed as soon as it is gone.
        model, optimizer, held_at_zero = self.model, self._optimizer, self.held_at_zero
        loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=not is_normalised(model))

        def step(images: Any, labels: Any, seed: Any) -> None:
            images = augmented(images, augment, seed)
            with tf.GradientTape() as tape:
                loss = loss_of(labels, model(images, training=True)) + sum(model.losses)
            variables = model.trainable_variables
            gradients = tape.gradient(loss, [v.value for v in variables])
            optimizer.apply(gradients, variables)
            _hold(held_at_zero)

        # One trace for every size of a batch: a run taken up again computes with the same graph.
        signature = [
            tf.TensorSpec((None, *self._dataset.images.shape[1:]), tf.float32),
            tf.TensorSpec((None,), tf.int64),
            tf.TensorSpec((2,), tf.int64),
        ]
        return tf.function(step, autograph=False, input_signature=signature)


def train(
    model: keras.Model,
    dataset: Dataset,
    *,
    epochs: int,
    learning_rate: float,
    batch_size: int,
    seed: int,
    held_at_zero: Sequence[Mask] = (),
    augment: Augment = "none",
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
        seed: Fixes the order of the images, augmentation and dropout, pass by pass.
        held_at_zero: Variables with masks; a weight is zero after every step where its mask is.
        augment: How the images are varied before each step.
        after_epoch: Called with 1, 2, … after each pass; training ends early where it returns True.
        label: What the progress bar says.

    Raises:
        ModelError: If every layer of the network is frozen.
    """
    trainer = Trainer(
        model,
        dataset,
        learning_rate=learning_rate,
        batch_size=batch_size,
        seed=seed,
        held_at_zero=held_at_zero,
        augment=augment,
    )
    trainer.run(range(1, epochs + 1), after_epoch, label)


def _hold(held_at_zero: Sequence[Mask]) -> None:
    for variable, mask in held_at_zero:
        # Not multiplication: NaN and infinity times zero are NaN.
        value = variable.value
        variable.assign(tf.where(mask != 0, value, tf.zeros_like(value)))


def _seed_layers(model: keras.Model, random: np.random.Generator) -> None:
    """Give every random layer, such as Dropout, a stream of its own."""
    for layer in model._flatten_layers():
        for generator in layer._seed_generators:
            generator.state.assign(random.integers(_WORD, size=2, dtype=np.uint32))
