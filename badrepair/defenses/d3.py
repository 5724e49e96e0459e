"""D3: move the last layer as far from the original as clean images allow.

Wei, Liu and Zha, "Backdoor Mitigation by Distance-Driven Detoxification", ICCV 2025,
arXiv:2411.09585. Fine-tuning ends near the weights that it began with, where the backdoor is.
Here the last layer begins anew, keeps its length, and is driven away from the original one as
long as the loss of every clean image stays below a bound. Long gradients are shortened, which the
paper does not need for its large networks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import keras
import tensorflow as tf

from badrepair.errors import require_option
from badrepair.mending.choosing import Candidate
from badrepair.mending.heads import (
    FEW_IMAGES,
    LONGEST_GRADIENT,
    head_kernel,
    prototypes,
    random_anew,
)
from badrepair.mending.lessons import compiled, cosine, gradients, lessons
from badrepair.mending.mender import Mender
from badrepair.mending.settings import require_counts, require_positive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from badrepair.mending.case import Case
    from badrepair.views import Array

_MOMENTUM = 0.9


ABOUT = {
    "needs": "many clean images a class",
    "good at": "backdoors of the last layers",
    "defeated by": "few clean images: accuracy falls",
    "minutes": "0.2",
}


@dataclass(frozen=True, kw_only=True)
class D3(Mender):
    """Maximise the distance of the last layer from the original one.

    Args:
        start: Where the last layer begins: "random", as in the paper; at the classes' mean
            features ("prototypes"); "auto" takes these where a class has few images.
        bound: Loss of a clean image up to which it does not count.
        constraint: What a loss beyond the bound counts, where distance counts 1.
        steps: Steps of training.
        learning_rate: First step of gradient descent; it falls to zero along half a cosine.
        tuning_batch: Images a step.
    """

    start: Literal["auto", "random", "prototypes"] = "auto"
    bound: float = 0.1
    constraint: float = 10.0
    steps: int = 600
    learning_rate: float = 0.01
    tuning_batch: int = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        require_option("--bound", self.bound >= 0, "a value 0 or more", self.bound)
        require_positive(self, "constraint", "learning_rate")
        require_counts(self, "steps", "tuning_batch")

    def candidates(self, case: Case) -> Iterator[Candidate]:
        """Yield the network on its way."""
        student = case.student()
        step = compiled(case, self._step(student, self._beginning(case, student)))
        for done in lessons(case, step, steps=self.steps, batch=self.tuning_batch, label="D3"):
            yield Candidate(
                network=case.mended(student.get_weights()),
                strength={"start": self._start(case), "steps": done},
            )

    def _start(self, case: Case) -> str:
        if self.start != "auto":
            return self.start
        few = len(case.tuning) < FEW_IMAGES * case.classes
        return "prototypes" if few else "random"

    def _beginning(self, case: Case, student: keras.Model) -> Array:
        if self._start(case) == "random":
            return random_anew(head_kernel(student), case.seed)
        return prototypes(case, student)

    def _step(self, student: keras.Model, beginning: Array) -> Callable[[Any, Any], None]:
        """Return the function that takes a step, and brings the last layer to its length."""
        head = head_kernel(student)
        original = tf.identity(head.value)
        length = tf.norm(original)
        head.assign(beginning)
        variables = student.trainable_variables
        optimizer = keras.optimizers.SGD(
            cosine(self.learning_rate, self.steps),
            momentum=_MOMENTUM,
            global_clipnorm=LONGEST_GRADIENT,
        )
        optimizer.build(variables)
        loss_of = tf.nn.sparse_softmax_cross_entropy_with_logits

        def step(images: Any, labels: Any) -> None:
            with tf.GradientTape() as tape:
                losses = loss_of(labels=labels, logits=student(images, training=False))
                beyond = tf.reduce_mean(tf.nn.relu(losses - self.bound))
                distance = tf.norm(head.value - original)
                loss = (self.constraint * beyond - distance) / (self.constraint + 1)
            optimizer.apply(gradients(tape, loss, variables), variables)
            head.assign(head.value * length / tf.norm(head.value))

        return step
