"""FT-SAM: fine-tune towards weights in whose neighbourhood the loss is low as well.

Zhu, Wei, Shen, Fan and Wu, "Enhancing Fine-Tuning Based Backdoor Defense with Sharpness-Aware
Minimization", ICCV 2023, arXiv:2304.11823. A step is taken with the gradient at the worst place
near the weights, where near is measured relative to their size: Kwon, Kim, Park and Choi, "ASAM",
ICML 2021, arXiv:2102.11600. Backdoored channels have large weights, which are so moved the most.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from badrepair.mending.choosing import Candidate
from badrepair.mending.lessons import compiled, cosine, gradients, lessons, steps_of
from badrepair.mending.mender import Mender
from badrepair.mending.settings import require_counts, require_positive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from badrepair.mending.case import Case

_MOMENTUM, _SMOOTHING = 0.9, 0.1
_TINY = 1e-12


ABOUT = {
    "needs": "some hundred clean images",
    "good at": "faint triggers on large networks",
    "defeated by": "attackers who flatten the loss; few images",
    "minutes": "0.3",
}


@dataclass(frozen=True, kw_only=True)
class FtSam(Mender):
    """Fine-tune with adaptive sharpness-aware minimization.

    Args:
        radii: How far the worst place may be, relative to the weights; each is tried.
        epochs: Passes over the clean data for each radius.
        learning_rate: First step of gradient descent; it falls to zero along half a cosine.
        tuning_batch: Images a step.
    """

    radii: tuple[float, ...] = (0.5, 1.0, 2.0)
    epochs: int = 20
    learning_rate: float = 0.01
    tuning_batch: int = 32

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive(self, "radii", "learning_rate")
        require_counts(self, "epochs", "tuning_batch")

    def candidates(self, case: Case) -> Iterator[Candidate]:
        """Yield the network on its way, for one radius after the other."""
        steps = steps_of(case, self.epochs, self.tuning_batch)
        for radius in self.radii:
            student = case.student()
            step = compiled(case, self._step(student, radius, steps))
            looks = lessons(
                case, step, steps=steps, batch=self.tuning_batch, label=f"FT-SAM, radius {radius:g}"
            )
            for done in looks:
                yield Candidate(
                    network=case.mended(student.get_weights()),
                    strength={"radius": radius, "steps": done},
                )

    def _step(self, student: keras.Model, radius: float, steps: int) -> Callable[[Any, Any], None]:
        """Return the function that takes a step: up to the worst place near, and down from it."""
        variables = student.trainable_variables
        optimizer = keras.optimizers.SGD(cosine(self.learning_rate, steps), momentum=_MOMENTUM)
        optimizer.build(variables)
        classes = int(student.output_shape[-1])

        def gradient(images: Any, labels: Any) -> list[Any]:
            wanted = tf.one_hot(labels, classes) * (1 - _SMOOTHING) + _SMOOTHING / classes
            with tf.GradientTape() as tape:
                answers = student(images, training=False)
                loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(wanted, answers))
            return gradients(tape, loss, variables)

        def step(images: Any, labels: Any) -> None:
            found = gradient(images, labels)
            weights = [tf.identity(one.value) for one in variables]
            sized = [tf.abs(w) * g for w, g in zip(weights, found, strict=True)]
            norm = tf.linalg.global_norm(sized) + _TINY
            for variable, weight, one in zip(variables, weights, sized, strict=True):
                variable.assign(weight + radius * tf.abs(weight) * one / norm)
            found = gradient(images, labels)
            for variable, weight in zip(variables, weights, strict=True):
                variable.assign(weight)
            optimizer.apply(found, variables)

        return step
