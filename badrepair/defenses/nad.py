"""NAD: let the network learn the attention of a teacher that was fine-tuned from it.

Li, Lyu, Koren, Lyu, Li and Ma, "Neural Attention Distillation: Erasing Backdoor Triggers from
Deep Neural Networks", ICLR 2021, arXiv:2101.05930. Where a convolution looks, its attention, is the
sum of its squared channels; the student's is drawn to the teacher's while it answers clean images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from badrepair.mending.choosing import Candidate
from badrepair.mending.lessons import compiled, cross_entropy, gradients, lessons, steps_of
from badrepair.mending.mender import Mender
from badrepair.mending.settings import require_counts, require_positive
from badrepair.models.attention import attending

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from badrepair.mending.case import Case

_MOMENTUM = 0.9


ABOUT = {
    "needs": "some hundred clean images",
    "good at": "shallow backdoors",
    "defeated by": "low poison rates; a teacher that keeps the backdoor",
    "minutes": "0.3",
}


@dataclass(frozen=True, kw_only=True)
class Nad(Mender):
    """Distil the attention of a fine-tuned teacher.

    Args:
        attractions: What the distance of attentions costs; each is tried.
        layers: How many of the last convolutions are compared.
        teacher_epochs: Passes in which the teacher is fine-tuned.
        epochs: Passes in which the student learns, for each attraction.
        learning_rate: Step of gradient descent.
        tuning_batch: Images a step.
    """

    attractions: tuple[float, ...] = (500.0, 1000.0, 5000.0)
    layers: int = 3
    teacher_epochs: int = 10
    epochs: int = 20
    learning_rate: float = 0.01
    tuning_batch: int = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive(self, "attractions", "learning_rate")
        require_counts(self, "layers", "teacher_epochs", "epochs", "tuning_batch")

    def candidates(self, case: Case) -> Iterator[Candidate]:
        """Yield the student on its way, for one attraction after the other."""
        teacher = self._taught(case)
        steps, batch = steps_of(case, self.epochs, self.tuning_batch), self.tuning_batch
        for attraction in self.attractions:
            student = case.student()
            step = compiled(case, self._distilling(student, teacher, attraction))
            label = f"NAD, attraction {attraction:g}"
            for done in lessons(case, step, steps=steps, batch=batch, label=label):
                yield Candidate(
                    network=case.mended(student.get_weights()),
                    strength={"attraction": attraction, "steps": done},
                )

    def _taught(self, case: Case) -> keras.Model:
        """Return the teacher: the network after fine-tuning."""
        teacher = case.student()
        variables, optimizer = self._optimizer(teacher)

        def step(images: Any, labels: Any) -> None:
            with tf.GradientTape() as tape:
                loss = cross_entropy(labels, teacher(images, training=False))
            optimizer.apply(gradients(tape, loss, variables), variables)

        steps, batch = steps_of(case, self.teacher_epochs, self.tuning_batch), self.tuning_batch
        label = "NAD, the teacher"
        looks = lessons(
            case, compiled(case, step), steps=steps, batch=batch, label=label, times=1, stream=1
        )
        assert max(looks) == steps
        return teacher

    def _distilling(
        self, student: keras.Model, teacher: keras.Model, attraction: float
    ) -> Callable[[Any, Any], None]:
        """Return the function that draws the student's attention to the teacher's by one step."""
        own, wanted = attending(student, self.layers), attending(teacher, self.layers)
        variables, optimizer = self._optimizer(student)

        def step(images: Any, labels: Any) -> None:
            _, targets = wanted(images)
            with tf.GradientTape() as tape:
                answers, maps = own(images)
                apart = [
                    tf.reduce_mean(tf.square(one - other))
                    for one, other in zip(maps, targets, strict=True)
                ]
                loss = cross_entropy(labels, answers) + attraction * tf.add_n(apart)
            optimizer.apply(gradients(tape, loss, variables), variables)

        return step

    def _optimizer(self, network: keras.Model) -> tuple[list[Any], Any]:
        variables = network.trainable_variables
        optimizer = keras.optimizers.SGD(self.learning_rate, momentum=_MOMENTUM)
        optimizer.build(variables)
        return variables, optimizer
