"""I-BAU: unlearn one perturbation of all images, and foresee how it would answer to that.

Zeng, Chen, Park, Mao, Jin and Jia, "Adversarial Unlearning of Backdoors via Implicit
Hypergradient", ICLR 2022, arXiv:2110.03735. A single perturbation is trained to spoil the answers
to all clean images; the network then learns to answer in spite of it. The gradient of the weights
counts how the perturbation would change with them: it solves a linear equation by a few steps of
a fixed-point iteration.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from badrepair.errors import require_option
from badrepair.mending.choosing import Candidate
from badrepair.mending.lessons import compiled, cross_entropy, gradients
from badrepair.mending.mender import Mender
from badrepair.mending.settings import require_counts, require_positive
from badrepair.progress import track

if TYPE_CHECKING:
    from collections.abc import Iterator

    from badrepair.mending.case import Case

# What the squared length of the perturbation costs while it is trained.
_LENGTH = 1e-3
# Step of the descent whose fixed point the perturbation is taken for.
_FIXED_STEP = 0.1
# Of a batch, the part that the network sees with the perturbation.
_SHARE = 0.01


ABOUT = {
    "needs": "a hundred clean images",
    "good at": "faint triggers over all of the image",
    "defeated by": "patches; many classes",
    "minutes": "0.2",
}


@dataclass(frozen=True, kw_only=True)
class IBau(Mender):
    """Unlearn a universal perturbation by its implicit hypergradient.

    Args:
        rounds: How often a perturbation is made and unlearnt.
        perturbing_rate: Step of gradient ascent with which the perturbation is made.
        iterations: Steps of the fixed-point iteration.
        learning_rate: Adam's step.
        tuning_batch: Images a step.
    """

    rounds: int = 5
    perturbing_rate: float = 10.0
    iterations: int = 5
    learning_rate: float = 1e-4
    tuning_batch: int = 100

    def __post_init__(self) -> None:
        super().__post_init__()
        require_option("--iterations", self.iterations >= 0, "a value 0 or more", self.iterations)
        require_positive(self, "perturbing_rate", "learning_rate")
        require_counts(self, "rounds", "tuning_batch")

    def candidates(self, case: Case) -> Iterator[Candidate]:
        """Yield the network after each round."""
        student = case.student()
        low, high = case.pixels
        perturbation = keras.Variable(tf.zeros((1, *case.shape)), name="perturbation")
        game = _Game(student, perturbation, high - low)
        ascend = compiled(case, self._ascending(game))
        unlearn = compiled(case, self._unlearning(game))
        steps = -(-len(case.tuning) // self.tuning_batch)
        drawn = case.drawn(self.tuning_batch)
        for number in track(range(1, self.rounds + 1), "I-BAU", self.rounds):
            perturbation.assign(tf.zeros_like(perturbation.value))
            for step in (ascend, unlearn):
                for _ in range(steps):
                    step(*next(drawn))
            yield Candidate(network=case.mended(student.get_weights()), strength={"rounds": number})

    def _ascending(self, game: _Game) -> Callable[[Any, Any], None]:
        """Return the function that makes the perturbation worse for the network by one step."""

        def step(images: Any, labels: Any) -> None:
            with tf.GradientTape() as tape:
                loss = game.inner(images, labels)
            (found,) = gradients(tape, loss, [game.perturbation])
            game.perturbation.assign(game.perturbation.value - self.perturbing_rate * found)

        return step

    def _unlearning(self, game: _Game) -> Callable[[Any, Any], None]:
        """Return the function that takes a step along the hypergradient."""
        variables = game.student.trainable_variables
        optimizer = keras.optimizers.Adam(self.learning_rate)
        optimizer.build(variables)

        def step(images: Any, labels: Any) -> None:
            optimizer.apply(game.hypergradient(images, labels, self.iterations), variables)

        return step


class _Game:
    """A network against a perturbation of all images.

    Args:
        student: Answers logits.
        perturbation: A variable, shape (1, H, W, C), in units of the range of pixels.
        span: The range of pixels.
    """

    def __init__(self, student: keras.Model, perturbation: Any, span: float) -> None:
        self.student, self.perturbation, self._span = student, perturbation, span

    def inner(self, images: Any, labels: Any) -> Any:
        """Return what the perturbation makes small: minus the loss, plus its own length."""
        answers = self.student(self._moved(images), training=False)
        length = tf.reduce_sum(tf.square(self.perturbation.value))
        return _LENGTH * length - cross_entropy(labels, answers)

    def outer(self, images: Any, labels: Any) -> Any:
        """Return what the network makes small: the loss, with a part of the images perturbed."""
        count = tf.cast(tf.math.ceil(_SHARE * tf.cast(tf.shape(images)[0], tf.float32)), tf.int32)
        shown = tf.concat([self._moved(images[:count]), images[count:]], axis=0)
        return cross_entropy(labels, self.student(shown, training=False))

    def hypergradient(self, images: Any, labels: Any, iterations: int) -> list[Any]:
        """Return the gradient of the outer loss by the weights, through the perturbation too."""
        weights = self.student.trainable_variables
        with tf.GradientTape() as tape:
            loss = self.outer(images, labels)
        *direct, by_perturbation = gradients(tape, loss, [*weights, self.perturbation])
        with tf.GradientTape(persistent=True) as second:
            with tf.GradientTape() as first:
                inner = self.inner(images, labels)
            slope = first.gradient(inner, self.perturbation.value)
            moved = self.perturbation.value - _FIXED_STEP * slope
        vector = by_perturbation
        for _ in range(iterations):
            vector = by_perturbation + second.gradient(
                moved, self.perturbation.value, output_gradients=vector
            )
        through = second.gradient(
            moved,
            [one.value for one in weights],
            output_gradients=vector,
            unconnected_gradients="zero",
        )
        return [
            one + tf.convert_to_tensor(other) for one, other in zip(direct, through, strict=True)
        ]

    def _moved(self, images: Any) -> Any:
        return images + self._span * self.perturbation.value
