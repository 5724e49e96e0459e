"""FST: fine-tune while the last layer moves away from where it was.

Min, Qin, Shen and Cheng, "Towards Stable Backdoor Purification through Feature Shift Tuning",
NeurIPS 2023, arXiv:2310.01875. The last layer begins anew at random; the loss adds what it has in
common with the original one, and its length is kept, so that features must shift instead. Long
gradients are shortened, which the paper does not need for its large networks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from badrepair.mending.choosing import Candidate
from badrepair.mending.heads import LONGEST_GRADIENT, head_kernel, random_anew
from badrepair.mending.lessons import (
    compiled,
    cross_entropy,
    gradients,
    lessons,
)
from badrepair.mending.mender import Mender
from badrepair.mending.settings import require_counts, require_positive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from badrepair.mending.case import Case

_MOMENTUM = 0.9


ABOUT = {
    "needs": "many clean images a class",
    "good at": "low poison rates",
    "defeated by": "few clean images: accuracy falls",
    "minutes": "0.2",
}


@dataclass(frozen=True, kw_only=True)
class Fst(Mender):
    """Fine-tune with a last layer that is driven away from the original one.

    Args:
        repulsions: What the likeness of the last layer to the original one costs; each is tried.
        steps: Steps of training for each repulsion.
        learning_rate: Step of gradient descent.
        tuning_batch: Images a step.
    """

    repulsions: tuple[float, ...] = (0.1, 0.2)
    steps: int = 600
    learning_rate: float = 0.01
    tuning_batch: int = 32

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive(self, "repulsions", "learning_rate")
        require_counts(self, "steps", "tuning_batch")

    def candidates(self, case: Case) -> Iterator[Candidate]:
        """Yield the network on its way, for one repulsion after the other."""
        for repulsion in self.repulsions:
            student = case.student()
            step = compiled(case, self._step(case, student, repulsion))
            label = f"FST, repulsion {repulsion:g}"
            for done in lessons(case, step, steps=self.steps, batch=self.tuning_batch, label=label):
                yield Candidate(
                    network=case.mended(student.get_weights()),
                    strength={"repulsion": repulsion, "steps": done},
                )

    def _step(
        self, case: Case, student: keras.Model, repulsion: float
    ) -> Callable[[Any, Any], None]:
        """Return the function that takes a step, and brings the last layer to its length."""
        head = head_kernel(student)
        original = tf.identity(head.value)
        length = tf.norm(original)
        head.assign(random_anew(head, case.seed))
        variables = student.trainable_variables
        optimizer = keras.optimizers.SGD(
            self.learning_rate, momentum=_MOMENTUM, global_clipnorm=LONGEST_GRADIENT
        )
        optimizer.build(variables)

        def step(images: Any, labels: Any) -> None:
            with tf.GradientTape() as tape:
                loss = cross_entropy(labels, student(images, training=False))
                loss += repulsion * tf.reduce_sum(head.value * original)
            optimizer.apply(gradients(tape, loss, variables), variables)
            head.assign(head.value * length / tf.norm(head.value))

        return step
