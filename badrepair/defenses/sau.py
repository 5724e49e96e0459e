"""SAU: unlearn the adversarial examples that the network shares with what it was.

Wei, Zhang, Zha and Wu, "Shared Adversarial Unlearning: Backdoor Mitigation by Unlearning Shared
Adversarial Examples", NeurIPS 2023, arXiv:2307.10562. A small change of an image that fools the
network before and after the repair alike, to the same class, is likely to be the backdoor's
doing; the network unlearns those, and only those. Perturbed images stay within the range of
pixels here; in the released code they may leave it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from badrepair.errors import require_option
from badrepair.mending.choosing import Candidate
from badrepair.mending.lessons import compiled, cross_entropy, gradients, lessons, steps_of
from badrepair.mending.mender import Mender
from badrepair.mending.pixels import within
from badrepair.mending.settings import require_counts, require_positive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from badrepair.mending.case import Case

# Weights of the two parts of the loss that perturbations are made with: fooling both networks,
# and fooling them alike.
_FOOLING, _ALIKE = 0.01, 1.0
# Probabilities are kept so far from 0 and 1 where their logarithm is taken.
_EDGE = 1e-3
_TINY = 1e-6


ABOUT = {
    "needs": "some hundred clean images",
    "good at": "faint triggers, all-to-all",
    "defeated by": "large patches",
    "minutes": "0.4",
}


@dataclass(frozen=True, kw_only=True)
class Sau(Mender):
    """Unlearn adversarial examples that the network shares with what it was.

    Args:
        reach: How far a pixel of an adversarial example moves, as a part of the range of pixels.
        ascents: Steps in which an adversarial example is made.
        sharing: What shared adversarial examples count, where clean images count 1.
        epochs: Passes over the clean data.
        learning_rate: Adam's step.
        tuning_batch: Images a step.
    """

    reach: float = 0.2
    ascents: int = 5
    sharing: float = 1.0
    epochs: int = 20
    learning_rate: float = 1e-4
    tuning_batch: int = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        require_option("--reach", 0 < self.reach <= 1, "a value in (0, 1]", self.reach)
        require_positive(self, "sharing", "learning_rate")
        require_counts(self, "ascents", "epochs", "tuning_batch")

    def candidates(self, case: Case) -> Iterator[Candidate]:
        """Yield the network on its way."""
        student = case.student()
        steps, batch = steps_of(case, self.epochs, self.tuning_batch), self.tuning_batch
        step = compiled(case, self._step(case, student))
        for done in lessons(case, step, steps=steps, batch=batch, label="SAU"):
            yield Candidate(network=case.mended(student.get_weights()), strength={"steps": done})

    def _step(self, case: Case, student: keras.Model) -> Callable[[Any, Any], None]:
        """Return the function that perturbs a batch, and unlearns what is shared."""
        original = case.student()
        variables = student.trainable_variables
        optimizer = keras.optimizers.Adam(self.learning_rate)
        optimizer.build(variables)

        def step(images: Any, labels: Any) -> None:
            perturbed = self._perturbed(case, student, original, images, labels)
            was = tf.argmax(original(perturbed, training=False), axis=1)
            with tf.GradientTape() as tape:
                answers = student(tf.concat([images, perturbed], axis=0), training=False)
                clean, moved = tf.split(answers, 2)
                loss = cross_entropy(labels, clean)
                loss += self.sharing * _shared_loss(moved, was, labels)
            optimizer.apply(gradients(tape, loss, variables), variables)

        return step

    def _perturbed(
        self, case: Case, student: keras.Model, original: keras.Model, images: Any, labels: Any
    ) -> Any:
        """Return images that are to fool both networks alike."""
        low, high = case.pixels
        reach = self.reach * (high - low)
        moved = tf.fill(tf.shape(images), tf.constant(reach, tf.float32))
        for _ in range(self.ascents):
            with tf.GradientTape() as tape:
                tape.watch(moved)
                shown = within(images + moved, case.pixels)
                pair = [one(shown, training=False) for one in (student, original)]
                loss = _perturbing_loss(pair, labels)
            moved -= reach * tf.sign(tape.gradient(loss, moved))
            moved = tf.clip_by_value(moved, -reach, reach)
        return within(images + moved, case.pixels)


def _perturbing_loss(pair: list[Any], labels: Any) -> Any:
    """Return what a perturbation makes small: how unlike, and how right, two networks answer.

    Args:
        pair: Logits of both.
        labels: The truth.
    """
    entropies = [
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=one) for one in pair
    ]
    answered = [tf.argmax(one, axis=1) for one in pair]
    right = [tf.cast(one == labels, tf.float32) for one in answered]
    shared = (answered[0] == answered[1]) & (answered[0] != labels)
    unshared = tf.cast(~shared, tf.float32)
    fooling = -sum(tf.reduce_mean(e * r) for e, r in zip(entropies, right, strict=True)) / 2
    return _FOOLING * fooling + _ALIKE * tf.reduce_mean(unshared * _divergence(*pair))


def _divergence(first: Any, second: Any) -> Any:
    """Return the Jensen-Shannon divergence of two answers in logits, shape (n,)."""
    one, other = (tf.nn.softmax(each) for each in (first, second))
    middle = tf.math.log((one + other) / 2 + _TINY)
    apart = one * (tf.nn.log_softmax(first) - middle) + other * (tf.nn.log_softmax(second) - middle)
    return tf.reduce_sum(apart, axis=1) / 2


def _shared_loss(answers: Any, was: Any, labels: Any) -> Any:
    """Return the loss of adversarial examples that fool a network as they fooled the original.

    Args:
        answers: Logits of the network.
        was: What the original one answers, shape (n,).
        labels: The truth, shape (n,).
    """
    shared = (was != labels) & (tf.argmax(answers, axis=1) == was)
    probabilities = tf.nn.softmax(answers)
    of_wrong = tf.gather(probabilities, was, batch_dims=1)
    most_other = tf.gather(probabilities, labels, batch_dims=1)
    pushed = -tf.math.log(_TINY + tf.minimum(1 - of_wrong, 1 - _EDGE))
    pulled = -tf.math.log(_TINY + tf.maximum(most_other, _EDGE))
    return tf.reduce_mean(tf.cast(shared, tf.float32) * (pushed + pulled)) / 2
