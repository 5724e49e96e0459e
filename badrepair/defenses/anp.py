"""ANP: prune the neurons that answer most to noise on themselves.

Wu and Wang, "Adversarial Neuron Pruning Purifies Backdoored Deep Models", NeurIPS 2021,
arXiv:2110.14430. A mask on every channel learns to keep clean answers both as they are and under
the worst noise on filters and biases; channels whose mask has fallen low carry the backdoor. The
noise is one step along the sign of its gradient, from none; the released code steps from a random
place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from badrepair.errors import require_option
from badrepair.mending.choosing import Candidate
from badrepair.mending.lessons import compiled, cross_entropy, gradients, lessons
from badrepair.mending.mender import Mender
from badrepair.mending.settings import require_counts, require_positive
from badrepair.mending.thresholds import below
from badrepair.models.gates import GatedNetwork

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from badrepair.mending.case import Case

_MOMENTUM = 0.9


ABOUT = {
    "needs": "some hundred clean images",
    "good at": "backdoors that few channels carry",
    "defeated by": "narrow networks without BatchNorm",
    "minutes": "0.5",
}


@dataclass(frozen=True, kw_only=True)
class Anp(Mender):
    """Prune the channels whose mask falls under adversarial noise.

    Args:
        noise: Largest noise on a channel, relative to its filter and bias.
        trade_off: What clean answers without noise count, in [0, 1]; with noise they count the
            rest.
        steps: Steps of training the masks.
        learning_rate: Step of gradient descent on the masks.
        tuning_batch: Images a step.
    """

    noise: float = 0.4
    trade_off: float = 0.2
    steps: int = 1000
    learning_rate: float = 0.2
    tuning_batch: int = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        require_option("--trade-off", 0 <= self.trade_off <= 1, "a value in [0, 1]", self.trade_off)
        require_positive(self, "noise", "learning_rate")
        require_counts(self, "steps", "tuning_batch")

    def candidates(self, case: Case) -> Iterator[Candidate]:
        """Yield the network without the channels below one threshold after the other."""
        gated = GatedNetwork(case.before)
        step = compiled(case, self._step(gated))
        batch, label = self.tuning_batch, "adversarial masks"
        for _ in lessons(case, step, steps=self.steps, batch=batch, label=label, times=1):
            yield from below(gated)

    def _step(self, gated: GatedNetwork) -> Callable[[Any, Any], None]:
        """Return the function that noises all channels at their worst, and trains the masks."""
        optimizer = keras.optimizers.SGD(self.learning_rate, momentum=_MOMENTUM)
        optimizer.build(gated.masks)

        def loss(images: Any, labels: Any) -> Any:
            return cross_entropy(labels, gated.network(images, training=False))

        def set_noise(values: list[Any]) -> None:
            for variable, value in zip(gated.noises, values, strict=True):
                variable.assign(value)

        def step(images: Any, labels: Any) -> None:
            with tf.GradientTape() as tape:
                plain = loss(images, labels)
            found = gradients(tape, plain, [*gated.masks, *gated.noises])
            of_plain, of_noises = found[: len(gated.masks)], found[len(gated.masks) :]
            set_noise([self.noise * tf.sign(one) for one in of_noises])
            with tf.GradientTape() as tape:
                noisy = loss(images, labels)
            of_noisy = gradients(tape, noisy, gated.masks)
            set_noise([tf.zeros_like(one.value) for one in gated.noises])
            optimizer.apply(
                [
                    self.trade_off * one + (1 - self.trade_off) * other
                    for one, other in zip(of_plain, of_noisy, strict=True)
                ],
                gated.masks,
            )
            for mask in gated.masks:
                mask.assign(tf.clip_by_value(mask.value, 0.0, 1.0))

        return step
