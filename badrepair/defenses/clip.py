"""Clip: bound what leaves the channels as tightly as clean images allow; no weight changes.

Cheng, Shen, Zhang, Tao, An, Guo, Ma and Zhang, "UNIT: Backdoor Mitigation via Automated Neural
Distribution Tightening", ECCV 2024, arXiv:2407.11372. A trigger excites channels more than clean
images do; a bound on each channel, tightened while clean answers stay right, cuts that off. Here
a channel of a convolution has one bound for all places, where the paper has one each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from badrepair.mending.choosing import Candidate
from badrepair.mending.lessons import compiled, cross_entropy, gradients, lessons
from badrepair.mending.mender import Mender
from badrepair.mending.settings import require_counts, require_positive
from badrepair.models.clipping import Clipped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from badrepair.mending.case import Case

_BETAS = (0.5, 0.9)
# The price of a bound's height grows by the first factor after so many steps in a row that keep
# the answers right, and shrinks by the second after so many that do not.
_PATIENCE, _DEARER, _CHEAPER = 5, 2.0, 2.0**1.5


ABOUT = {
    "needs": "some hundred clean images",
    "good at": "triggers that excite channels; keeps all weights",
    "defeated by": "faint triggers",
    "minutes": "0.3",
}


@dataclass(frozen=True, kw_only=True)
class Clip(Mender):
    """Bound the activations of every channel.

    Args:
        deviations: How many standard deviations above a channel's mean its bound begins.
        price: What the height of the bounds costs at first.
        steps: Steps of tightening.
        learning_rate: Adam's step, as a part of the mean height of a layer's bounds.
        tuning_batch: Images a step.
    """

    deviations: float = 4.0
    price: float = 1e-3
    steps: int = 600
    learning_rate: float = 3e-3
    tuning_batch: int = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive(self, "deviations", "price", "learning_rate")
        require_counts(self, "steps", "tuning_batch")

    def candidates(self, case: Case) -> Iterator[Candidate]:
        """Yield the network with tighter and tighter bounds."""
        clipped = Clipped(
            case.before,
            case.tuning.images,
            deviations=self.deviations,
            batch_size=case.batch_size,
        )
        step = compiled(case, self._step(case, clipped))
        batch, label = self.tuning_batch, "tightening bounds"
        for done in lessons(case, step, steps=self.steps, batch=batch, label=label, times=12):
            yield Candidate(network=clipped.written(), strength={"steps": done})

    def _step(self, case: Case, clipped: Clipped) -> Callable[[Any, Any], None]:
        """Return the function that tightens the bounds by one step, and sets their price."""
        bounds = clipped.bounds
        heights = [tf.reduce_mean(bound.value) + 1e-6 for bound in bounds]
        # Layers differ in size: each is trained in units of its own height.
        relative = [
            keras.Variable(bound.value / height, name="relative")
            for bound, height in zip(bounds, heights, strict=True)
        ]
        optimizer = keras.optimizers.Adam(self.learning_rate, *_BETAS)
        optimizer.build(relative)
        price = keras.Variable(self.price, name="price", trainable=False)
        streak = keras.Variable(0.0, name="streak", trainable=False)
        floor = case.baseline - self.max_drop

        def step(images: Any, labels: Any) -> None:
            with tf.GradientTape() as tape:
                answers = clipped.network(images, training=False)
                loss = cross_entropy(labels, answers)
            of_bounds = gradients(tape, loss, bounds)
            found = [
                one * height + price.value / tf.cast(tf.size(one), tf.float32)
                for one, height in zip(of_bounds, heights, strict=True)
            ]
            optimizer.apply(found, relative)
            for bound, own, height in zip(bounds, relative, heights, strict=True):
                own.assign(tf.nn.relu(own.value))
                bound.assign(own.value * height)
            hit = tf.cast(tf.argmax(answers, axis=1) == labels, tf.float32)
            _set_price(price, streak, tf.reduce_mean(hit) >= floor)

        return step


def _set_price(price: Any, streak: Any, right: Any) -> None:
    """Change a price after enough steps of one kind in a row.

    Args:
        price: A variable.
        streak: A variable: how many steps in a row were right, or minus how many were not.
        right: Whether this one was.
    """
    before = streak.value
    longer = tf.where(right, tf.maximum(before, 0.0) + 1, tf.minimum(before, 0.0) - 1)
    full = tf.abs(longer) >= _PATIENCE
    factor = tf.where(right, _DEARER, 1 / _CHEAPER)
    price.assign(tf.where(full, price.value * factor, price.value))
    streak.assign(tf.where(full, 0.0, longer))
